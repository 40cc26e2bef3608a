"""Completion of commands, options and paths in a shell."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHELLS = ("bash", "zsh", "tcsh")
PATHS = {"SONG", "PATH", "PATH_OR_REPO", "DIR_OR_FILE", "FILE", "REAL", "FAKE"}  # arguments that a file may complete


class PrintCompletion(argparse.Action):
    """Prints the script by which a shell completes the commands of a parser, and ends."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, shell: Any, option: str | None = None) -> None:
        """Print the script of a shell; without shtab, end with an error that names the extra."""
        try:
            import shtab
        except ImportError:
            parser.error('expected shtab, which is not installed: pip install "musemo-hf[completion]"')
        for action in _actions(parser):
            name = str(action.metavar or action.dest).partition(".")[0].upper()
            if name in PATHS or action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        print(shtab.complete(parser, shell))
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
