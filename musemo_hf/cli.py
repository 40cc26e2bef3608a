"""The command `musemo`: `musemo generate`, `musemo predict` and the others of `COMMANDS`."""

import argparse
import io
import shlex
import sys
import warnings
from collections.abc import Sequence

from musemo_hf import __version__
from musemo_hf.commands import audit_labels, demo, generate, predict, prepare, pseudo_label, push, train
from musemo_hf.commands.completion import SHELLS, PrintCompletion
from musemo_hf.commands.editing import extend, infill, journey, vary
from musemo_hf.commands.score import command as score

COMMANDS = {
    "generate": generate,
    "vary": vary,
    "extend": extend,
    "infill": infill,
    "journey": journey,
    "predict": predict,
    "pseudo-label": pseudo_label,
    "prepare": prepare,
    "train": train,
    "score": score,
    "audit-labels": audit_labels,
    "push": push,
    "demo": demo,
}
FORMER_NAMES = {"listen": "pseudo-label"}  # they still work, with a warning, and are not listed


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands, without importing torch or transformers."""
    parser = argparse.ArgumentParser(prog="musemo", description="Music and emotion for the Hugging Face ecosystem.")
    parser.add_argument("--version", action="version", version=f"musemo-hf {__version__}")
    parser.add_argument("--traceback", action="store_true", help="Show where in the code an error arose.")
    what = 'Print the script that completes commands in a shell, as in: eval "$(musemo --print-completion bash)".'
    parser.add_argument("--print-completion", choices=SHELLS, action=PrintCompletion, help=what)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in (*COMMANDS, *FORMER_NAMES):
        module = COMMANDS[FORMER_NAMES.get(name, name)]
        listed = {} if name in FORMER_NAMES else {"help": module.HELP}
        formatter = argparse.RawDescriptionHelpFormatter
        command = commands.add_parser(name, description=module.__doc__, formatter_class=formatter, **listed)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments, by default those of the process.

    Returns:
        The exit status: 0; 1 after one line on standard error where an input cannot be used; 130 after an interrupt.
        argparse itself exits with 2 where the arguments are wrong.
    """
    for stream in (sys.stdout, sys.stderr):  # the name of a file may hold bytes that are no text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    args = build_parser().parse_args(argv)
    args.command_line = shlex.join(["musemo", *(sys.argv[1:] if argv is None else argv)])  # pages show it
    if args.command in FORMER_NAMES:
        message = f"`musemo {args.command}` is now `musemo {FORMER_NAMES[args.command]}`; the old name will be removed"
        warnings.warn(message, FutureWarning, stacklevel=2)
    try:
        return args.run(args)
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError) as error:  # a missing file, a bad emotion, a full disk: what a user can fix
        if args.traceback:
            raise
        print(f"musemo {args.command}: {one_line(error)}", file=sys.stderr)
        return 1


def one_line(error: Exception) -> str:
    """Return the message of an error without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
