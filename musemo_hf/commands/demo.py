"""Serve the page: pick an emotion and hear it, drop a song and see where it lies.

musemo demo
musemo demo --port 8000 --recogniser checkpoints/recogniser
"""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

HELP = "serve the page in which emotion becomes music, and music emotion"
SPACE = Path(__file__).resolve().parents[2] / "spaces_demo"  # beside the package in the repository, and in no wheel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `musemo demo`."""
    parser.add_argument("--generator", metavar="PATH_OR_REPO", help="(the packaged one)")
    parser.add_argument("--recogniser", metavar="PATH_OR_REPO", help="(the packaged one)")
    parser.add_argument("--host", metavar="NAME", help="address to serve on (this machine only)")
    parser.add_argument("--port", type=int, metavar="N", help="(7860, or the next that is free)")
    parser.add_argument("--folder", type=Path, default=SPACE, metavar="DIR", help="of the Space (the repository's)")


def run(args: argparse.Namespace) -> int:
    """Become the page's process, which serves until interrupted; the exit status is the page's."""
    app = args.folder / "app.py"
    if not app.is_file():
        raise ValueError(
            f"expected the page at {app}, found none: it is in the repository's folder spaces_demo, not in the "
            "installed package; clone the repository and give that folder as --folder"
        )
    if find_spec("gradio") is None:
        raise ValueError('expected gradio, which is not installed: pip install "musemo-hf[space]"')
    given = {
        "MUSEMO_GENERATOR": args.generator,
        "MUSEMO_RECOGNISER": args.recogniser,
        "GRADIO_SERVER_NAME": args.host,
        "GRADIO_SERVER_PORT": args.port,
    }
    environment = os.environ | {name: str(value) for name, value in given.items() if value is not None}
    # afresh, as the page must import its modules before torch and as a Space's top-level names; in the place of this
    # process, so that what ends it ends the page
    os.execve(sys.executable, [sys.executable, str(app)], environment)
