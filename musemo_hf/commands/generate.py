"""Make music from valence and arousal.

musemo generate --valence 0.8 --arousal 0.7 --seed 0 --output happy.wav
musemo generate --preset "sad & calm" --num-samples 8 --plot --output songs/
musemo generate --preset happy --checkpoint FLOW --num-inference-steps 4 --output happy.wav
musemo generate --preset happy --vocoder cvssp/audioldm2 --output happy.wav
musemo generate --preset happy --num-samples 50 --arrays --output arrays/
"""

import argparse
import csv
import math
import random
from pathlib import Path
from typing import TYPE_CHECKING

from musemo_hf.commands.checkpoints import find_checkpoint
from musemo_hf.data.tables import read_table
from musemo_hf.files import atomic_path

if TYPE_CHECKING:
    from musemo_hf.pipelines.song import Song

HELP = "Make music from valence and arousal."
ENDINGS = (".wav", ".flac", ".ogg", ".mp3")
ARRAY = ".npy"
LIST = "emotions.csv"  # `musemo score --emotions` reads it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo generate`."""
    add = parser.add_argument
    add("--valence", type=float, help="The requested valence in [-1, 1].")
    add("--arousal", type=float, help="The requested arousal in [-1, 1].")
    add("--preset", metavar="NAME", help='A point by its name: "sad", or "typical sad", where songs are.')
    add("--num-samples", type=int, default=1, metavar="N", help="The number of songs (default: 1).")
    what = "The seed of the first song; song i has the seed S + i (default: random)."
    add("--seed", type=int, metavar="S", help=what)
    what = "The folder or repository of a generator or pipeline, or a packaged one: flow (default) or generator."
    add("--checkpoint", metavar="PATH_OR_REPO", help=what)
    what = "The number of sampling steps of a flow (default: the model's own setting)."
    add("--num-inference-steps", type=int, metavar="N", help=what)
    what = "The guidance scale of a flow (default: the model's own setting)."
    add("--guidance-scale", type=float, metavar="W", help=what)
    what = "The folder or repository of a vocoder (default: the pipeline's own, else Griffin-Lim)."
    add("--vocoder", metavar="PATH_OR_REPO", help=what)
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
    valence, arousal = _point(args)
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
    options = {"num_inference_steps": args.num_inference_steps, "guidance_scale": args.guidance_scale}
    options |= {"num_samples": args.num_samples}
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
    if args.seed is not None and not 0 <= args.seed < 2**63:
        raise ValueError(f"expected --seed as a number from 0 on, got {args.seed}")
    if args.num_inference_steps is not None and args.num_inference_steps < 1:
        raise ValueError(f"expected --num-inference-steps of at least 1, got {args.num_inference_steps}")
    if args.arrays and args.vocoder is not None:
        raise ValueError("expected --arrays or --vocoder, got both: arrays have no sound")
    if args.guidance_scale is not None and not 0 <= args.guidance_scale < math.inf:
        raise ValueError(f"expected --guidance-scale as a number from 0 on, got {args.guidance_scale:g}")


def _endings(args: argparse.Namespace) -> tuple[str, ...]:
    return (ARRAY,) if args.arrays else ENDINGS


def _point(args: argparse.Namespace) -> tuple[float, float]:
    given = [name for name in ("valence", "arousal") if getattr(args, name) is not None]
    if args.preset is not None and not given:
        return _preset(args.preset)
    if args.preset is not None or len(given) != 2:
        got = " and ".join(f"--{name}" for name in (*given, *(["preset"] if args.preset else []))) or "neither"
        raise ValueError(f"expected --valence and --arousal, or --preset, got {got}")
    for name in given:
        if not math.isfinite(value := getattr(args, name)):
            raise ValueError(f"expected a finite --{name}, got {value}")
        if not -1 <= value <= 1:
            hint = "; DEAM's 1-9 maps by (x - 5) / 4" if 1 <= value <= 9 else ""
            raise ValueError(f"expected --{name} in [-1, 1], got {value:g}{hint}")
    return args.valence, args.arousal


def _preset(name: str) -> tuple[float, float]:
    """Return the point of a preset, which its first letters can name."""
    from musemo_hf.pipelines.song import PRESETS, TYPICAL_PRESETS

    presets = PRESETS | TYPICAL_PRESETS
    found = [point for preset, point in presets.items() if preset.startswith(name.strip().lower())]
    if len(found) != 1 or not name.strip():
        raise ValueError(f"expected --preset to be one of {', '.join(map(repr, presets))}, got {name!r}")
    return found[0]


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
    if args.arrays:
        import numpy as np

        with atomic_path(path) as part, part.open("wb") as file:
            np.save(file, song.spectrogram)
    else:
        song.save(path)
    if args.plot:
        figure = song.plot().get_figure(root=True)
        if figure is not None:
            with atomic_path(path.with_suffix(".png")) as part:
                figure.savefig(part, format="png", dpi=110)
    frames = song.spectrogram.shape[-1]
    seconds = len(song.audio) / song.sampling_rate
    size = f"{frames} frames" if args.arrays else f"{seconds:.1f} s"
    print(f"{path}: valence {song.valence:+.2f}, arousal {song.arousal:+.2f}, seed {song.seed}, {size}")


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
