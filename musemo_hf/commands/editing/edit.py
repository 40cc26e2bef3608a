"""What the commands that change songs share: their arguments, and the writing of the song."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musemo_hf.commands.arguments import add_emotion, add_sampling, add_steering
from musemo_hf.commands.checkpoints import find_checkpoint
from musemo_hf.commands.requests import check_sampling, read_emotion, sampling_options
from musemo_hf.commands.song_files import ENDINGS, check_song_file, write_song

if TYPE_CHECKING:
    from musemo_hf import MusemoPipeline

Edit = Callable[["MusemoPipeline", dict[str, Any]], Any]


def add_song(parser: argparse.ArgumentParser) -> None:
    """Add the song that is changed, and the requested emotion."""
    parser.add_argument("song", metavar="SONG", help="The song, an audio file.")
    add_emotion(parser)


def add_result(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of how the song is made, and of the file that is written."""
    add_steering(parser)
    parser.add_argument("--seed", type=int, metavar="S", help="The seed of the song (default: random).")
    add_sampling(parser)
    what = "Also write a picture of the spectrogram, a .png beside the song."
    parser.add_argument("--plot", action="store_true", help=what)
    what = f"A file that ends in {', '.join(ENDINGS)}."
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=what)


def change_song(args: argparse.Namespace, edit: Edit) -> int:
    """Change a song for the requested emotion, see `write_edit`.

    Raises:
        ValueError: There is no such song, or see `read_emotion` and `write_edit`.
    """
    valence, arousal = read_emotion(args)
    if not Path(args.song).is_file():
        raise ValueError(f"expected an audio file, found none at {args.song}")
    return write_edit(args, lambda pipe, options: edit(pipe, {"valence": valence, "arousal": arousal, **options}))


def write_edit(args: argparse.Namespace, edit: Edit) -> int:
    """Load the pipeline, make a song with it, and write the song.

    Args:
        args: The arguments that `add_result` added.
        edit: A function that makes the song, of the pipeline and of the options of its methods.

    Raises:
        ValueError: A value is out of its range, or the generator cannot change songs.
    """
    check_sampling(args)
    check_song_file(args.output)
    find_checkpoint(args.checkpoint, "generator")  # all that can be refused is refused before torch is loaded
    from musemo_hf.commands.checkpoints import load_pipeline

    pipe = load_pipeline(args.checkpoint, args.vocoder)
    song = edit(pipe, {"seed": args.seed, **sampling_options(args)}).songs[0]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write_song(song, args.output, args.plot)
    return 0


def check_positive(name: str, value: float) -> None:
    """Check the duration of what is made.

    Raises:
        ValueError: It is not positive, or not finite.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"expected --{name} as a positive number, got {value:g}")
