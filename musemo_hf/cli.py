"""`musemo generate | predict | listen | prepare | score | audit-labels | push | demo`."""

import argparse
import shlex
import sys
from collections.abc import Sequence

from musemo_hf import __version__
from musemo_hf.commands import audit_labels, demo, generate, predict, prepare, pseudo_label, push
from musemo_hf.commands.score import command as score

COMMANDS = {
    "generate": generate,
    "predict": predict,
    "listen": pseudo_label,
    "prepare": prepare,
    "score": score,
    "audit-labels": audit_labels,
    "push": push,
    "demo": demo,
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; builds without torch or transformers."""
    parser = argparse.ArgumentParser(prog="musemo", description="Music and emotion for the Hugging Face ecosystem.")
    parser.add_argument("--version", action="version", version=f"musemo-hf {__version__}")
    parser.add_argument("--traceback", action="store_true", help="show where in the code an error arose")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        command.formatter_class = argparse.RawDescriptionHelpFormatter
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments; those of the process where None.

    Returns:
        0; 1 where an input could not be used, after one line on standard error; 130 where it was interrupted.
        argparse itself leaves with 2 where the arguments make no sense.
    """
    args = build_parser().parse_args(argv)
    args.command_line = shlex.join(["musemo", *(sys.argv[1:] if argv is None else argv)])  # for a page's foot
    try:
        return args.run(args)
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError) as error:  # a missing file, a bad emotion, a full disk: what a user can mend
        if args.traceback:
            raise
        print(f"musemo {args.command}: {one_line(error)}", file=sys.stderr)
        return 1


def one_line(error: Exception) -> str:
    """The message of an error without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
