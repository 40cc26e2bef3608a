"""Make a part of a song anew, so that it fits what is before and after it.

musemo infill song.mp3 --start 4 --end 6 --preset happy --seed 0 --output repaired.wav
"""

import argparse
import math

from musemo_hf.commands.editing.edit import add_result, add_song, change_song

HELP = "Make a part of a song anew."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo infill`."""
    add_song(parser)
    parser.add_argument("--start", type=float, required=True, metavar="T", help="The beginning of the part in s.")
    parser.add_argument("--end", type=float, required=True, metavar="T", help="The end of the part in s.")
    add_result(parser)


def run(args: argparse.Namespace) -> int:
    """Write the song with the new part."""
    if not 0 <= args.start < args.end < math.inf:
        raise ValueError(f"expected --start from 0 on, before --end, got {args.start:g} and {args.end:g}")
    return change_song(args, lambda pipe, options: pipe.infill(args.song, args.start, args.end, **options))
