"""Predict valence and arousal of songs, with an interval and the path over time.

musemo predict song.mp3 another.flac
musemo predict music/ --json
musemo predict song.mp3 --json --path-plot path.png

The packaged recogniser with YAMNet answers where the extra `yamnet` is installed and YAMNet's file is there, in the
folder that MUSEMO_PRETRAINED names or in the cache of the Hub. Otherwise the packaged recogniser of log-mels alone
answers, and a line on standard error says what is missing and which command gets it. `--checkpoint` chooses; with
`recogniser-yamnet` it downloads the file once. A song that cannot be read is named with the reason, and the others are
predicted.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from musemo_hf.commands.arguments import add_hop, add_recogniser
from musemo_hf.commands.checkpoints import best_recogniser, find_checkpoint
from musemo_hf.files import atomic_path

if TYPE_CHECKING:
    import numpy as np

    from musemo_hf.pipelines.emotion_path import EmotionPath

HELP = "Predict valence and arousal of songs."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo predict`."""
    add = parser.add_argument
    what = "A wav, flac, ogg or mp3 of any length, or a folder of them, which is searched at any depth."
    add("songs", nargs="+", metavar="SONG", help=what)
    add_recogniser(parser, "--checkpoint", "recogniser-yamnet where it can answer, else recogniser")
    add_hop(parser)
    add("--json", action="store_true", help="Print JSON, with the path over time.")
    add("--path-plot", type=Path, metavar="FILE.png", help="Also draw the path, coloured by time.")


def run(args: argparse.Namespace) -> int:
    """Print a table or JSON; the exit status is 1 where a song could not be read."""
    if args.hop is not None and not 0 < args.hop < math.inf:
        raise ValueError(f"expected a positive --hop in seconds, got {args.hop:g}")
    if args.checkpoint is not None:
        find_checkpoint(args.checkpoint, "recogniser")
    if args.path_plot is not None and not args.path_plot.resolve().parent.is_dir():
        raise ValueError(f"expected a folder to write {args.path_plot} in, found none")
    if args.path_plot is not None and args.path_plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ValueError(f"expected --path-plot to end in .png, .svg or .pdf, got {args.path_plot}")
    if not any(Path(song).exists() for song in args.songs):  # before the model is loaded
        raise ValueError(f"expected audio files or folders of them, found none at {', '.join(args.songs)}")
    checkpoint, why_not = best_recogniser() if args.checkpoint is None else (args.checkpoint, None)
    if why_not is not None:
        print(f"musemo predict: the more accurate recogniser-yamnet is not used: {why_not}", file=sys.stderr)
    paths, skipped = _read_songs(args, checkpoint)
    if args.json:
        songs = [{"file": song} | path.to_dict() for song, path in paths.items()]
        left_out = [{"file": song, "reason": reason} for song, reason in skipped.items()]
        print(json.dumps({"recogniser": checkpoint, "songs": songs, "skipped": left_out}, indent=1))
    elif paths:
        print(table(paths, checkpoint))
    if args.path_plot is not None and paths:
        from musemo_hf.pipelines.emotion_path_figure import draw_emotion_paths

        figure = draw_emotion_paths({Path(song).name: path for song, path in paths.items()})
        with atomic_path(args.path_plot) as part:
            figure.savefig(part, format=args.path_plot.suffix[1:].lower(), dpi=110)
    return 1 if skipped else 0


def _read_songs(args: argparse.Namespace, checkpoint: str) -> "tuple[dict[str, EmotionPath], dict[str, str]]":
    """Predict the songs, and return the reasons why others cannot be read, which are printed when they arise."""
    from musemo_hf.commands.checkpoints import load_predictor
    from musemo_hf.pipelines.emotion_path import emotion_path
    from musemo_hf.pipelines.song_files import UNREADABLE, shown, why

    model, extractor = load_predictor(checkpoint)
    if args.hop is not None and not args.hop * extractor.sampling_rate >= 1:
        raise ValueError(f"expected a positive --hop in seconds, got {args.hop:g}")
    paths, skipped = {}, {}
    for file in _files(args.songs):
        try:
            if file.is_dir():
                raise ValueError("expected songs in the folder, found none")
            paths[shown(file)] = emotion_path(model, extractor, file, hop_seconds=args.hop)
        except UNREADABLE as error:
            skipped[shown(file)] = why(file, error)
            print(f"musemo predict: {shown(file)}: {skipped[shown(file)]}", file=sys.stderr)
    return paths, skipped


def _files(songs: list[str]) -> list[Path]:
    """Return the files, and those in the folders, each once; a folder without songs stands for itself."""
    from musemo_hf.pipelines.song_files import list_songs

    parts = [(list_songs(path)[0] if path.is_dir() else []) or [path] for path in map(Path, songs)]
    return list(dict.fromkeys(file for part in parts for file in part))


def table(paths: "dict[str, EmotionPath]", checkpoint: str) -> str:
    """Write a line for each song, a line on the recogniser that answered, and one on the kind of interval."""
    width = max(len("song"), *(len(song) for song in paths))
    lines = [f"{'song':<{width}}  {'valence':<22}  {'arousal':<22}  {'length':>8}  windows"]
    for song, path in paths.items():
        cells = [_cell(path, dimension) for dimension in (0, 1)]
        lines.append(
            f"{song:<{width}}  {cells[0]:<22}  {cells[1]:<22}  {path.duration:6.1f} s  "
            f"{len(path.emotion)} of {path.window_seconds:.3g} s"
        )
    embedder = next(iter(paths.values())).embedder
    lines.append(f"recogniser: {checkpoint} ({'log-mels alone' if embedder is None else f'log-mels and {embedder}'})")
    lines += [f"[low, high]: {kind}" for kind in dict.fromkeys(path.interval_kind for path in paths.values())]
    short = [song for song, path in paths.items() if path.duration < path.window_seconds - 0.1]
    if short:
        lines.append(f"shorter than a window, and padded with silence: {', '.join(short)}")
    lines += [f"{song}: {note}" for song, path in paths.items() for note in path.notes]
    return "\n".join(lines)


def _cell(path: "EmotionPath", dimension: int) -> str:
    ends: np.ndarray | None = path.interval
    interval = "" if ends is None else f" [{ends[dimension][0]:+.2f}, {ends[dimension][1]:+.2f}]"
    return f"{path.mean[dimension]:+.2f}{interval}"
