"""Make music from valence and arousal.

musemo generate --valence 0.8 --arousal 0.7 --seed 0 --output happy.wav
musemo generate --preset "sad & calm" --num-samples 8 --plot --output songs/
musemo generate --preset happy --checkpoint FLOW --num-inference-steps 4 --output happy.wav
musemo generate --preset happy --vocoder cvssp/audioldm2 --output happy.wav
"""

import argparse
import csv
from pathlib import Path
from typing import TYPE_CHECKING

from musemo_hf.data.tables import read_table
from musemo_hf.files import atomic_path

if TYPE_CHECKING:
    from musemo_hf.pipelines.song import Song

HELP = "make music from valence and arousal"
ENDINGS = (".wav", ".flac", ".ogg", ".mp3")
LIST = "emotions.csv"  # `musemo score --emotions` reads it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo generate`."""
    add = parser.add_argument
    add("--valence", type=float, help="The requested valence in [-1, 1].")
    add("--arousal", type=float, help="The requested arousal in [-1, 1].")
    add("--preset", metavar="NAME", help='A point by its name instead, such as "sad & calm" or sad.')
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
    add("--plot", action="store_true", help="Also write a picture of each spectrogram, a .png beside the song.")
    what = f"A file that ends in {', '.join(ENDINGS)}, or a folder, in which {LIST} lists the requested emotions."
    add("--output", required=True, metavar="DIR_OR_FILE", help=what)


def run(args: argparse.Namespace) -> int:
    """Write the songs, and print a line for each of them."""
    valence, arousal = _point(args)
    output = _output(args.output, args.num_samples)
    from musemo_hf.commands.checkpoints import load_pipeline

    options = {"num_inference_steps": args.num_inference_steps, "guidance_scale": args.guidance_scale}
    pipeline = load_pipeline(args.checkpoint, args.vocoder)
    songs = pipeline(valence, arousal, num_samples=args.num_samples, seed=args.seed, **options).songs
    is_folder = output.suffix.lower() not in ENDINGS
    (output if is_folder else output.parent).mkdir(parents=True, exist_ok=True)
    for song in songs:
        path = output / _name(song) if is_folder else output
        _write(song, path, args.plot)
        if is_folder:
            _list(song, path)
    return 0


def _point(args: argparse.Namespace) -> tuple[float, float]:
    given = [name for name in ("valence", "arousal") if getattr(args, name) is not None]
    if args.preset is not None and not given:
        return _preset(args.preset)
    if args.preset is not None or len(given) != 2:
        got = " and ".join(f"--{name}" for name in (*given, *(["preset"] if args.preset else []))) or "neither"
        raise ValueError(f"expected --valence and --arousal, or --preset, got {got}")
    from musemo_hf.models.gan import check_emotion

    check_emotion([[args.valence, args.arousal]])  # before the model is loaded
    return args.valence, args.arousal


def _preset(name: str) -> tuple[float, float]:
    """Return the point of a preset, which its first letters can name."""
    from musemo_hf.pipelines.emotion_to_music import PRESETS

    found = [point for preset, point in PRESETS.items() if preset.startswith(name.strip().lower())]
    if len(found) != 1 or not name.strip():
        raise ValueError(f"expected --preset to be one of {', '.join(map(repr, PRESETS))}, got {name!r}")
    return found[0]


def _output(given: str, num_samples: int) -> Path:
    path = Path(given)
    if path.suffix.lower() in ENDINGS:
        if num_samples != 1:
            raise ValueError(f"expected a folder as --output of {num_samples} songs, got the file {given}")
    elif path.is_file() or (path.suffix[1:].isalpha() and not path.is_dir()):
        raise ValueError(f"expected --output to be a folder, or a file that ends in {', '.join(ENDINGS)}, got {given}")
    return path


def _name(song: "Song") -> str:
    return f"valence{song.valence:+.2f}_arousal{song.arousal:+.2f}_seed{song.seed}.wav"


def _write(song: "Song", path: Path, plot: bool) -> None:
    song.save(path)
    if plot:
        figure = song.plot().get_figure(root=True)
        if figure is not None:
            with atomic_path(path.with_suffix(".png")) as part:
                figure.savefig(part, format="png", dpi=110)
    seconds = len(song.audio) / song.sampling_rate
    print(f"{path}: valence {song.valence:+.2f}, arousal {song.arousal:+.2f}, seed {song.seed}, {seconds:.1f} s")


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
