"""Read a DEAM folder into a data set of log-mels, and say what is in it.

musemo prepare DEAM
musemo prepare DEAM --config-name excerpt_10s --num-proc 2 --output deam-10s
musemo prepare DEAM --config-name excerpt_10s --pack deam-10s.safetensors

A pack is one file of at most 50 MB that the scripts of training/ take as --data-dir, for a machine that has no DEAM.
Its log-mels are rounded to steps of decibels, which are printed; labels and folds are exact.
"""

import argparse
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musemo_hf import DeamSpectrograms

HELP = "read DEAM into a data set of log-mels"
CONFIGS = ("excerpt_30s", "excerpt_10s", "first_30s")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `musemo prepare`."""
    parser.add_argument(
        "deam", type=Path, metavar="DEAM", help="folder of DEAM, flat or as its archive unpacks; or of `musemo listen`"
    )
    parser.add_argument("--config-name", choices=CONFIGS, default=CONFIGS[0], help=f"excerpt ({CONFIGS[0]})")
    parser.add_argument("--labels", choices=("corrected", "published"), default="corrected", help="(corrected)")
    parser.add_argument("--num-proc", type=int, metavar="N", help="processes that decode (1)")
    parser.add_argument("--cache-dir", type=Path, metavar="DIR", help="where it is kept (the cache of datasets)")
    parser.add_argument("--pack", type=Path, metavar="FILE", help="also write it into one file of at most 50 MB")
    parser.add_argument("--output", type=Path, metavar="DIR", help="also save it there, as `musemo score` reads it")


def run(args: argparse.Namespace) -> int:
    """Prepare, and print counts, folds and what was left out."""
    if args.pack is not None and args.pack.is_dir():
        raise ValueError(f"expected a file as --pack, got the folder {args.pack}")
    if not args.deam.is_dir():
        raise ValueError(f"expected the folder of DEAM, found none at {args.deam}")
    import datasets

    from musemo_hf import DeamSpectrograms
    from musemo_hf.data.folds import artist_groups
    from musemo_hf.data.pseudo_labels import read_manifest

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    builder = DeamSpectrograms(args.cache_dir, args.config_name, args.deam, args.labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of what is left out: it is listed below
        builder.download_and_prepare(num_proc=args.num_proc)
    songs = builder.as_dataset("train")
    folds = Counter(songs.with_format(None)["fold"])
    artists = len(set(artist_groups(songs["artist"])))
    print(f"songs    {len(songs)} by {artists} artists, {args.config_name}, 128 x {builder.config.n_frames} dB")
    heard = read_manifest(args.deam)
    print(f"labels   {args.labels if heard is None else f'of no person: {heard.title}'}")
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
    from musemo_hf.data.pack import MAX_BYTES, write_pack
    from musemo_hf.data.pseudo_labels import read_manifest

    heard = read_manifest(args.deam)
    pack = write_pack(
        args.pack,
        load_arrays(builder.as_dataset("train")),
        config_name=args.config_name,
        labels=args.labels,
        procedural=(args.deam / MANIFEST).is_file(),
        n_skipped=len(builder.skipped),
        heard=None if heard is None else heard.title,
    )
    size = args.pack.stat().st_size
    print(f"packed   {args.pack}, {size / 1e6:.1f} MB of at most {MAX_BYTES / 1e6:.0f} MB, hash {pack.songs_hash[:16]}")
    print(
        f"         log-mels in steps of {pack.step:g} dB: error at most {pack.step / 2:g} dB, root mean square "
        f"{pack.rms_error:.3f} dB"
    )


def _print_skipped(builder: "DeamSpectrograms") -> None:
    from musemo_hf.data.skipped import count_reasons

    skipped = builder.skipped
    print(f"skipped  {count_reasons(skipped)}")
    first: dict[str, str] = {}
    for song in skipped:
        first.setdefault(song.reason, f"song {song.song_id}: {song.detail}")
    for reason, detail in first.items():
        print(f"         {reason}, such as {detail}")
