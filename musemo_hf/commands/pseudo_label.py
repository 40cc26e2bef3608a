"""Hear the emotion of every song of a folder, and lay the songs out as DEAM is, to train on and to generate from.

musemo listen music heard
musemo prepare heard --config-name first_30s
accelerate launch training/train_gan.py --config training/configs/gan_30s.yaml --data-dir heard

The emotions are a recogniser's, and no person's: heard_corpus.json says which, heard.csv of which file, and every
report of what was trained or measured on them says so too. A run that was stopped goes on where it was.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musemo_hf.pipelines.pseudo_labelling import PseudoLabelled

HELP = "hear the emotions of a folder of songs without labels, and lay it out as DEAM is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `musemo listen`."""
    parser.add_argument("audio", type=Path, metavar="AUDIO_DIR", help="songs: wav, flac, ogg or mp3, at any depth")
    parser.add_argument("output", type=Path, metavar="OUT_DIR", help="new, or begun before with the same arguments")
    parser.add_argument("--recogniser", metavar="PATH_OR_REPO", help="(the packaged one)")
    parser.add_argument("--hop", type=float, metavar="SECONDS", help="between windows (half a window)")


def run(args: argparse.Namespace) -> int:
    """Listen, and print counts and what was left out."""
    if args.hop is not None and not args.hop > 0:
        raise ValueError(f"expected a positive --hop in seconds, got {args.hop:g}")
    if not args.audio.is_dir():  # before a model is loaded for nothing
        raise ValueError(f"expected a folder of songs, found none at {args.audio}")
    from musemo_hf.commands.checkpoints import load_recogniser
    from musemo_hf.pipelines.pseudo_labelling import pseudo_label

    model, extractor = load_recogniser(args.recogniser)
    name = recogniser_name(args.recogniser)
    _print(pseudo_label(args.audio, args.output, model, extractor, name, args.hop), args.output)
    return 0


def recogniser_name(given: str | None) -> str:
    """How others know it: no path of this machine, but the end of one."""
    if given is None:
        return "the packaged recogniser"
    return "/".join(Path(given).resolve().parts[-2:]) if Path(given).is_dir() else given


def _print(heard: "PseudoLabelled", folder: Path) -> None:
    from musemo_hf.data.folds import artist_groups, n_unknown
    from musemo_hf.data.skipped import count_reasons

    corpus, songs = heard.corpus, heard.songs
    artists = [song.artist for song in songs]
    unknown = n_unknown(artists)
    known = len(set(artist_groups(artists))) - unknown
    hours = sum(song.duration for song in songs) / 3600
    print(f"songs    {len(songs)}, {hours:.2f} h, by {known} artists; of {unknown} none is known")
    print(
        f"heard by {corpus.listener}, {sum(song.n_windows for song in songs)} windows of {corpus.window_seconds:.3g} s"
    )
    print("         these are no labels of people; the recogniser's errors are in them")
    if unknown:
        print("         a song of no known artist is taken for an artist of its own: folds may share artists")
    print(f"skipped  {count_reasons(heard.skipped)}")
    first: dict[str, str] = {}
    for song in heard.skipped:
        first.setdefault(song.reason, song.detail)
    for reason, detail in first.items():
        print(f"         {reason}, such as {detail}")
    if heard.others:
        endings = ", ".join(f"{ending or 'no ending'} {count}" for ending, count in heard.others.items())
        print(f"not read {sum(heard.others.values())} other files ({endings})")
    print(f"kept in  {folder}")
