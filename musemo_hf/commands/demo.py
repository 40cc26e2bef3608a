"""Serve the Space on this machine: pick an emotion and hear it, or drop a song and see its emotion.

musemo demo
musemo demo --port 8000 --recogniser checkpoints/recogniser
"""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from musemo_hf.commands.arguments import add_recogniser
from musemo_hf.commands.checkpoints import find_checkpoint

HELP = "Serve the Space, in which emotion becomes music and music emotion."
SPACE = Path(__file__).resolve().parents[1] / "spaces_demo"  # in the repository a link, in a wheel a folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo demo`."""
    add = parser.add_argument
    what = "The folder or repository of a generator or pipeline, or a packaged one: flow (default) or generator."
    add("--generator", metavar="PATH_OR_REPO", help=what)
    add_recogniser(parser)
    add("--host", metavar="NAME", help="The address to serve on (default: this machine only).")
    add("--port", type=int, metavar="N", help="The port (default: 7860, or the next that is free).")
    what = "The folder of the Space (default: that of the package)."
    add("--folder", type=Path, default=SPACE, metavar="DIR", help=what)


def run(args: argparse.Namespace) -> int:
    """Become the process of the page, which serves until it is interrupted."""
    app = args.folder / "app.py"
    if not app.is_file():
        raise ValueError(f"expected the folder of a Space with app.py as --folder, found none in {args.folder}")
    if args.port is not None and not 0 <= args.port <= 65535:
        raise ValueError(f"expected --port from 0 to 65535, got {args.port}")
    if find_spec("gradio") is None:
        raise ValueError('expected gradio, which is not installed: pip install "musemo-hf[space]"')
    models = {"generator": args.generator, "recogniser": args.recogniser}
    found = {name: None if path is None else find_checkpoint(path, name) for name, path in models.items()}
    given = {
        "MUSEMO_GENERATOR": found["generator"],
        "MUSEMO_RECOGNISER": found["recogniser"],
        "GRADIO_SERVER_NAME": args.host,
        "GRADIO_SERVER_PORT": args.port,
    }
    environment = os.environ | {name: str(value) for name, value in given.items() if value is not None}
    # The page must import its modules before torch, and by a Space's top-level names, hence a new interpreter. It
    # replaces this process, so that whatever ends this process ends the page.
    os.execve(sys.executable, [sys.executable, str(app)], environment)
