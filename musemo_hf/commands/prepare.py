"""Prepare a data set of log-mels from a folder of DEAM, and print its contents.

musemo prepare DEAM
musemo prepare DEAM --config-name excerpt_10s --jobs 2 --output deam-10s
musemo prepare DEAM --config-name excerpt_10s --pack deam-10s.safetensors

A pack is one file of at most 50 MB that the scripts of training/ take as --data-dir on a machine that has no DEAM.
Its log-mels are rounded to a step in decibels that is printed; its labels and folds are exact.
"""

import argparse
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from musemo_hf.commands.arguments import add_preparation

if TYPE_CHECKING:
    from musemo_hf import DeamSpectrograms

HELP = "Prepare a data set of log-mels from DEAM."
CONFIGS = ("excerpt_30s", "excerpt_10s", "first_30s")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo prepare`."""
    add = parser.add_argument
    what = "The folder of DEAM, flat or as its archive unpacks, or one of `musemo pseudo-label`."
    add("deam", type=Path, metavar="DEAM", help=what)
    add("--config-name", choices=CONFIGS, default=CONFIGS[0], help=f"The excerpt of each song (default: {CONFIGS[0]}).")
    what = "The labels of the songs of 2013 (default: corrected); refused for a folder of pseudo-labels."
    add("--labels", choices=("corrected", "published"), help=what)
    add_preparation(parser)
    add("--pack", type=Path, metavar="FILE", help="Also write one file, for a machine that has no DEAM.")
    add("--pack-megabytes", type=float, default=50, metavar="MB", help="The largest size of that file (default: 50).")
    add("--output", type=Path, metavar="DIR", help="Also save the data set in a folder that `musemo score` reads.")


def run(args: argparse.Namespace) -> int:
    """Prepare the data set, and print counts, folds and the songs that were left out."""
    if args.pack is not None and args.pack.is_dir():
        raise ValueError(f"expected a file as --pack, got the folder {args.pack}")
    for option, path in (("--pack", args.pack), ("--output", args.output)):
        if path is not None and not path.resolve().parent.is_dir():
            raise ValueError(f"expected a folder to write {option} {path} in, found none")
    if args.output is not None and args.output.is_file():
        raise ValueError(f"expected a folder as --output, got the file {args.output}")
    if not args.deam.is_dir():
        raise ValueError(f"expected the folder of DEAM, found none at {args.deam}")
    from musemo_hf.data.pseudo_labels import read_manifest

    pseudo_labels, labels = read_manifest(args.deam), args.labels or "corrected"
    if pseudo_labels is not None and args.labels is not None:
        raise ValueError(f"expected no --labels, since {args.deam} holds {pseudo_labels.title}, got {args.labels}")
    import datasets

    from musemo_hf import DeamSpectrograms
    from musemo_hf.data.folds import artist_groups

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    builder = DeamSpectrograms(args.cache_dir, args.config_name, args.deam, labels)
    builder.jobs = args.jobs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of songs left out, which are listed below
        builder.download_and_prepare()
    songs = builder.as_dataset("train")
    folds = Counter(songs.with_format(None)["fold"])
    artists = len(set(artist_groups(songs["artist"])))
    print(f"songs    {len(songs)} by {artists} artists, {args.config_name}, 128 x {builder.config.n_frames} dB")
    print(f"labels   {labels if pseudo_labels is None else f'not of people: {pseudo_labels.title}'}")
    print(f"folds    {', '.join(f'{fold}: {folds[fold]}' for fold in sorted(folds))}")
    _print_skipped(builder)
    print(f"kept in  {builder.cache_dir}")
    if args.output:
        songs.save_to_disk(args.output)
        print(f"saved in {args.output}")
    if args.pack:
        _pack(args, builder)
    return 0


def _pack(args: argparse.Namespace, builder: "DeamSpectrograms") -> None:
    from musemo_hf.data.arrays import load_arrays
    from musemo_hf.data.demo_corpus import MANIFEST
    from musemo_hf.data.pack import write_pack
    from musemo_hf.data.pseudo_labels import read_manifest

    pseudo_labels = read_manifest(args.deam)
    pack = write_pack(
        args.pack,
        load_arrays(builder.as_dataset("train")),
        config_name=args.config_name,
        labels=args.labels or "corrected",
        procedural=(args.deam / MANIFEST).is_file(),
        n_skipped=len(builder.skipped),
        pseudo_labels=None if pseudo_labels is None else pseudo_labels.title,
        max_bytes=int(1e6 * args.pack_megabytes),
    )
    size = args.pack.stat().st_size
    print(
        f"packed   {args.pack}, {size / 1e6:.1f} MB of at most {args.pack_megabytes:g} MB, hash {pack.songs_hash[:16]}"
    )
    print(
        f"         log-mels in steps of {pack.step:g} dB: error at most {pack.step / 2:g} dB, root mean square "
        f"{pack.rms_error:.3f} dB"
    )


def _print_skipped(builder: "DeamSpectrograms") -> None:
    from musemo_hf.data.skipped import count_reasons, first_details

    print(f"skipped  {count_reasons(builder.skipped)}")
    for reason, song in first_details(builder.skipped).items():
        print(f"         {reason}, such as song {song.song_id}: {song.detail}")
