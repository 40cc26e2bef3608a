"""Make one song that goes through emotions, each for as long.

musemo journey --preset sad neutral happy --seconds 60 --seed 0 --output journey.wav
musemo journey --valence -0.4 0 0.4 --arousal -0.4 0 0.4 --seconds 30 --output journey.wav
"""

import argparse

from musemo_hf.commands.arguments import add_emotion
from musemo_hf.commands.editing.edit import add_result, check_positive, write_edit
from musemo_hf.commands.requests import read_emotions

HELP = "Make one song that goes through emotions."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo journey`."""
    add_emotion(parser, nargs="+")
    what = "The duration of the song in s (default: 60)."
    parser.add_argument("--seconds", type=float, default=60.0, metavar="T", help=what)
    add_result(parser)


def run(args: argparse.Namespace) -> int:
    """Write the song."""
    check_positive("seconds", args.seconds)
    valence, arousal = read_emotions(args)
    return write_edit(args, lambda pipe, options: pipe.journey(valence, arousal, args.seconds, **options))
