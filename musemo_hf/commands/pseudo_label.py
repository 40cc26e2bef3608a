"""Predict the emotions of a folder of songs without labels, and write a corpus in DEAM's layout for training.

musemo pseudo-label music corpus
musemo prepare corpus --config-name first_30s
accelerate launch training/train_gan.py --config training/configs/gan_30s.yaml --data-dir corpus

The emotions are pseudo-labels predicted by a recogniser, not labels of people. pseudo_labels.json says which
recogniser, pseudo_labels.csv lists the files, and every report on such a corpus says so too. A run that was stopped is
resumed by the same command.
"""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from musemo_hf.commands.arguments import add_hop, add_recogniser
from musemo_hf.commands.checkpoints import find_checkpoint, load_recogniser

if TYPE_CHECKING:
    from musemo_hf.pipelines.pseudo_labelling import PseudoLabelling

HELP = "Predict the emotions of a folder of songs without labels, and write a corpus in DEAM's layout."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo pseudo-label`."""
    add = parser.add_argument
    add("audio", type=Path, metavar="AUDIO_DIR", help="The folder of songs (wav, flac, ogg or mp3), at any depth.")
    what = "The folder of the corpus, new or begun before with the same arguments."
    add("output", type=Path, metavar="OUT_DIR", help=what)
    add_recogniser(parser)
    add_hop(parser)


def run(args: argparse.Namespace) -> int:
    """Write the corpus, and print counts and the songs that were left out."""
    if args.hop is not None and not 0 < args.hop < math.inf:
        raise ValueError(f"expected a positive --hop in seconds, got {args.hop:g}")
    if not args.audio.is_dir():  # before the model is loaded
        raise ValueError(f"expected a folder of songs, found none at {args.audio}")
    find_checkpoint(args.recogniser, "recogniser")
    from musemo_hf.pipelines.pseudo_labelling import label_folder

    model, extractor = load_recogniser(args.recogniser)
    name = recogniser_name(args.recogniser)
    _print(label_folder(args.audio, args.output, model, extractor, name, args.hop), args.output)
    return 0


def recogniser_name(given: str | None) -> str:
    """Return a name for other readers: a repository, or the end of a path of this machine."""
    if given is None:
        return "the packaged recogniser"
    return "/".join(Path(given).resolve().parts[-2:]) if Path(given).is_dir() else given


def _print(made: "PseudoLabelling", folder: Path) -> None:
    from musemo_hf.data.folds import artist_groups, n_unknown
    from musemo_hf.data.skipped import count_reasons, first_details

    corpus, songs = made.corpus, made.songs
    artists = [song.artist for song in songs]
    unknown = n_unknown(artists)
    known = len(set(artist_groups(artists))) - unknown
    hours = sum(song.duration for song in songs) / 3600
    windows = f"{sum(song.n_windows for song in songs)} windows of {corpus.window_seconds:.3g} s"
    print(f"songs    {len(songs)}, {hours:.2f} h, by {known} known artists; the artists of {unknown} are not known")
    print(f"labels   predicted by {corpus.predictor}, {windows}")
    print("         these are not labels of people; the errors of the recogniser are in them")
    if unknown:
        print("         a song without a known artist counts as an artist of its own: folds may share artists")
    print(f"skipped  {count_reasons(made.skipped)}")
    for reason, song in first_details(made.skipped).items():
        print(f"         {reason}, such as {song.detail}")
    if made.others:
        endings = ", ".join(f"{ending or 'no ending'} {count}" for ending, count in made.others.items())
        print(f"not read {sum(made.others.values())} other files ({endings})")
    print(f"kept in  {folder}")
