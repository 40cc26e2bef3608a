"""Continue a song by some seconds of an emotion.

musemo extend song.mp3 --seconds 20 --preset happy --seed 0 --output longer.wav
"""

import argparse

from musemo_hf.commands.editing.edit import add_result, add_song, change_song, check_positive

HELP = "Continue a song by some seconds of an emotion."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo extend`."""
    add_song(parser)
    parser.add_argument("--seconds", type=float, required=True, metavar="T", help="The duration of what is added in s.")
    add_result(parser)


def run(args: argparse.Namespace) -> int:
    """Write the song with its continuation."""
    check_positive("seconds", args.seconds)
    return change_song(args, lambda pipe, options: pipe.extend(args.song, args.seconds, **options))
