"""Make a variation of a song for an emotion.

musemo vary song.mp3 --preset sad --strength 0.6 --seed 0 --output varied.wav
musemo vary song.mp3 --valence 0.3 --arousal -0.2 --genre Jazz --tempo 90 --output jazz.wav
"""

import argparse

from musemo_hf.commands.editing.edit import add_result, add_song, change_song

HELP = "Make a variation of a song for an emotion."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo vary`."""
    add_song(parser)
    what = "How far the song is changed: 0 returns it, 1 keeps nothing of it (default: 0.5)."
    parser.add_argument("--strength", type=float, default=0.5, metavar="X", help=what)
    add_result(parser)


def run(args: argparse.Namespace) -> int:
    """Write the variation."""
    if not 0 <= args.strength <= 1:
        raise ValueError(f"expected --strength in [0, 1], got {args.strength:g}")
    return change_song(args, lambda pipe, options: pipe.vary(args.song, strength=args.strength, **options))
