"""Make music from valence and arousal.

musemo generate --valence 0.8 --arousal 0.7 --seed 0 --output happy.wav
musemo generate --preset "sad & calm" --num-samples 8 --plot --output songs/
musemo generate --preset happy --genre Jazz --tempo 90 --loudness 20 --brightness 900 --output jazz.wav
musemo generate --preset happy --num-inference-steps 8 --output happy.wav
musemo generate --preset happy --vocoder cvssp/audioldm2 --output happy.wav
musemo generate --preset happy --num-samples 50 --arrays --output arrays/
"""

import argparse
import csv
import random
from pathlib import Path
from typing import TYPE_CHECKING

from musemo_hf.commands.arguments import add_emotion, add_sampling, add_steering
from musemo_hf.commands.checkpoints import find_checkpoint
from musemo_hf.commands.requests import check_sampling, read_emotion, sampling_options
from musemo_hf.commands.song_files import ENDINGS, describe, write_picture, write_song
from musemo_hf.data.tables import read_table
from musemo_hf.files import atomic_path

if TYPE_CHECKING:
    from musemo_hf.pipelines.song import Song

HELP = "Make music from valence and arousal."
ARRAY = ".npy"
LIST = "emotions.csv"  # `musemo score --emotions` reads it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo generate`."""
    add = parser.add_argument
    add_emotion(parser)
    add_steering(parser)
    add("--num-samples", type=int, default=1, metavar="N", help="The number of songs (default: 1).")
    what = "The seed of the first song; song i has the seed S + i (default: random)."
    add("--seed", type=int, metavar="S", help=what)
    add_sampling(parser)
    what = f"Write log-mels as {ARRAY} arrays (n_mels, n_frames) in dB, without sound; `musemo score` reads them."
    add("--arrays", action="store_true", help=what)
    add("--plot", action="store_true", help="Also write a picture of each spectrogram, a .png beside the song.")
    what = (
        f"A file that ends in {', '.join(ENDINGS)} (with --arrays in {ARRAY}), or a folder, in which {LIST} lists the "
        "requested emotions."
    )
    add("--output", required=True, metavar="DIR_OR_FILE", help=what)


def run(args: argparse.Namespace) -> int:
    """Write the songs, and print a line for each of them."""
    valence, arousal = read_emotion(args)
    _check_options(args)
    output = _output(args)
    find_checkpoint(args.checkpoint, "generator")  # all that can be refused is refused before torch is loaded
    songs = _songs(args, valence, arousal)
    is_folder = output.suffix.lower() not in _endings(args)
    (output if is_folder else output.parent).mkdir(parents=True, exist_ok=True)
    for song in songs:
        path = output / _name(song, ARRAY if args.arrays else ".wav") if is_folder else output
        _write(song, path, args)
        if is_folder:
            _list(song, path)
    return 0


def _songs(args: argparse.Namespace, valence: float, arousal: float) -> "list[Song]":
    """Generate the songs; with --arrays they have no samples."""
    from musemo_hf.commands.checkpoints import load_pipeline

    pipeline = load_pipeline(args.checkpoint, args.vocoder)
    options = {**sampling_options(args), "num_samples": args.num_samples}
    if not args.arrays:
        return pipeline(valence, arousal, seed=args.seed, **options).songs
    import numpy as np
    import torch

    from musemo_hf.pipelines.song import Song

    extractor = pipeline.feature_extractor
    first = random.randrange(2**31 - args.num_samples) if args.seed is None else args.seed
    mels = torch.as_tensor(pipeline(valence, arousal, seed=first, output_type="latent", **options).audios)
    return [
        Song(np.empty(0, np.float32), extractor.sampling_rate, decibels, valence, arousal, seed, extractor.hop_length)
        for seed, decibels in enumerate(extractor.to_decibels(mels[:, 0].float().cpu()).numpy(), first)
    ]


def _check_options(args: argparse.Namespace) -> None:
    if args.num_samples < 1:
        raise ValueError(f"expected --num-samples of at least 1, got {args.num_samples}")
    check_sampling(args)
    if args.arrays and args.vocoder is not None:
        raise ValueError("expected --arrays or --vocoder, got both: arrays have no sound")


def _endings(args: argparse.Namespace) -> tuple[str, ...]:
    return (ARRAY,) if args.arrays else ENDINGS


def _output(args: argparse.Namespace) -> Path:
    path, endings = Path(args.output), _endings(args)
    if path.suffix.lower() in endings:
        if args.num_samples != 1:
            raise ValueError(f"expected a folder as --output of {args.num_samples} songs, got the file {path}")
    elif path.is_file() or (path.suffix[1:].isalpha() and not path.is_dir()):
        raise ValueError(f"expected --output to be a folder, or a file that ends in {', '.join(endings)}, got {path}")
    return path


def _name(song: "Song", ending: str) -> str:
    return f"valence{song.valence:+.2f}_arousal{song.arousal:+.2f}_seed{song.seed}{ending}"


def _write(song: "Song", path: Path, args: argparse.Namespace) -> None:
    if not args.arrays:
        return write_song(song, path, args.plot)
    import numpy as np

    with atomic_path(path) as part, part.open("wb") as file:
        np.save(file, song.spectrogram)
    if args.plot:
        write_picture(song, path)
    print(describe(song, path, f"{song.spectrogram.shape[-1]} frames"))


def _list(song: "Song", path: Path) -> None:
    """Add a song to the list of its folder; a song that is made again replaces its line."""
    file = path.parent / LIST
    rows = {}
    if file.is_file():
        columns = {name: (name,) for name in ("file", "valence", "arousal", "seed")}
        rows = {row.cells["file"]: dict(row.cells) for row in read_table(file, columns, ValueError, exact=True)}
    rows[path.name] = {
        "file": path.name,
        "valence": f"{song.valence:.6g}",
        "arousal": f"{song.arousal:.6g}",
        "seed": str(song.seed),
    }
    with atomic_path(file) as part, part.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, ["file", "valence", "arousal", "seed"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows.values())
