"""Score generated music against real music, with what is needed to read the score.

musemo score REAL FAKE
musemo score deam-10s/ songs/ --html report.html --json report.json
musemo score deam-10s/ songs/ --artists artists.csv --held-out other-artists/
musemo score deam-10s/ songs/ --emotions songs/emotions.csv --recogniser checkpoints/recogniser

REAL and FAKE are folders of audio, of .npy arrays ((128, n_frames) or (N, 128, n_frames), dB or normalised), or data
sets saved with a column `spectrogram`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musemo_hf.commands.arguments import add_jobs, add_recogniser
from musemo_hf.commands.checkpoints import find_checkpoint
from musemo_hf.commands.score.clips import LENGTHS, Batch, Clips, open_clips
from musemo_hf.files import atomic_write

if TYPE_CHECKING:
    from musemo_hf.commands.score.conditioning import Conditioning

EXTERNAL = ("yamnet", "yamnet-v1")
HELD_OUT = "--held-out"
EMBEDDERS = ("mel-statistics-v1", "modulation-v1", "modulation-v3", "novelty-v1", *EXTERNAL)
HELP = "Score generated music against real music."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo score`."""
    parser.add_argument("real", type=Path, metavar="REAL", help="Real music.")
    parser.add_argument("fake", type=Path, metavar="FAKE", help="Generated music, or any other set to evaluate.")
    side = "as clips, or as an .npz with their `embeddings`"
    what = f"The training set of the generator, {side}."
    parser.add_argument("--training", type=Path, metavar="PATH", help=what)
    what = (
        f"Real music outside the training set, by other artists than REAL, {side}. Clips also take the place of one "
        "half of REAL in the external figures."
    )
    parser.add_argument("--held-out", type=Path, metavar="PATH", help=what)
    what = (
        "A table of the artists of REAL, with the columns file (relative to REAL) and artist: halves, bootstrap and "
        "folds then go by artists (default: by clips)."
    )
    parser.add_argument("--artists", type=Path, metavar="FILE.csv", help=what)
    what = "A table of the requested emotions, with the columns file, valence and arousal."
    parser.add_argument("--emotions", type=Path, metavar="FILE.csv", help=what)
    add_recogniser(parser)
    what = (
        "The embedder of KID, precision, recall, density and coverage: a name, or the repository or folder of a "
        "Hugging Face audio model (default: modulation-v1)."
    )
    parser.add_argument("--embedder", default="modulation-v1", metavar="NAME_OR_REPO", help=what)
    what = (
        "The embedder that judges both sides as sound: yamnet, or the repository or folder of a Hugging Face audio "
        "model; none for no such figures (default: yamnet)."
    )
    parser.add_argument("--external", default="yamnet", metavar="NAME_OR_REPO", help=what)
    what = "The confidence level of intervals; 0 for none (default: 0.95)."
    parser.add_argument("--confidence", type=float, default=0.95, metavar="C", help=what)
    what = "The number of bootstrap draws (default: 400)."
    parser.add_argument("--n-resamples", type=int, default=400, metavar="N", help=what)
    what = "The seed of surrogates and bootstrap (default: 0)."
    parser.add_argument("--seed", type=int, default=0, metavar="S", help=what)
    what = "The number of frames of audio clips (default: 1292 or 431, the longest that all files hold)."
    parser.add_argument("--n-frames", type=int, metavar="N", help=what)
    add_jobs(parser)
    what = "Also write everything as JSON; - prints it instead of the table."
    parser.add_argument("--json", metavar="FILE", help=what)
    what = "Also write a page with the picture and players of three clips of each side, in one file."
    parser.add_argument("--html", type=Path, metavar="FILE", help=what)


def run(args: argparse.Namespace) -> int:
    """Stream both sides through the metric, and print the table."""
    _check(args)
    sides = {"REAL": open_clips(args.real, "REAL", args.jobs), "FAKE": open_clips(args.fake, "FAKE", args.jobs)}
    held_out = None
    if args.held_out is not None and args.held_out.suffix != ".npz":
        held_out = open_clips(args.held_out, HELD_OUT, args.jobs)
    result = plain(_measure(args, sides, held_out))
    from musemo_hf.commands.score.verdict import finding_sentences, headline

    result = {"headline": headline(result), "findings": finding_sentences(result)} | result
    for path, text in ((args.json, json.dumps(result, indent=1, allow_nan=False)), (args.html, None)):
        if path is not None and str(path) != "-":
            atomic_write(Path(path), text if text is not None else _page(result, args.command_line, sides))
    if args.json == "-":
        print(json.dumps(result, indent=1, allow_nan=False))
        return 0
    from musemo_hf.commands.score.table import score_table

    print(score_table(result))
    return 0


def _check(args: argparse.Namespace) -> None:
    if not 0 <= args.confidence < 1:
        raise ValueError(f"expected --confidence in [0, 1), got {args.confidence:g}")
    if args.n_resamples < 8:
        raise ValueError(f"expected --n-resamples of at least 8, got {args.n_resamples}")
    if args.n_frames is not None and args.n_frames < 2:
        raise ValueError(f"expected --n-frames of at least 2, got {args.n_frames}")
    if args.recogniser is not None and args.emotions is None:
        raise ValueError("expected --emotions with --recogniser: a table of the requested emotions")
    if args.recogniser is not None:
        find_checkpoint(args.recogniser, "recogniser")
    for option, table in (("--emotions", args.emotions), ("--artists", args.artists)):
        if table is not None and not table.is_file():
            raise ValueError(f"expected a table as {option}, found no file at {table}")
    _check_embedder("--embedder", args.embedder, EMBEDDERS)
    _check_embedder("--external", args.external, (*EXTERNAL, "none"))
    if args.training is not None and args.held_out is None:
        raise ValueError("expected --training and --held-out together, as they are compared")
    for path in (args.json if args.json != "-" else None, args.html):
        if path is not None and not Path(path).resolve().parent.is_dir():  # before minutes of work are lost
            raise ValueError(f"expected a folder to write {path} in, found none")


def _check_embedder(option: str, name: str, known: tuple[str, ...]) -> None:
    """Refuse a name that is neither known nor that of a folder or a repository."""
    if name not in known and not Path(name).is_dir() and name.count("/") != 1:
        names = ", ".join(known)
        raise ValueError(f"expected {option} out of {names}, or a folder or repository of an audio model, got {name}")


def _measure(args: argparse.Namespace, sides: dict[str, Clips], held_out: Clips | None) -> dict[str, Any]:
    import datasets
    import evaluate

    from musemo_hf import metric_path
    from musemo_hf.commands.score.external import prepare_sides

    datasets.disable_progress_bars()
    # both before minutes of work are lost
    artists = None if args.artists is None else _artists(args.artists, sides["REAL"])
    heard = sides if held_out is None else sides | {HELD_OUT: held_out}
    missing = prepare_sides(args.external, heard)
    from musemo_hf.pipelines.song_files import shown

    confidence = args.confidence or None
    conditioning = _conditioning(args)
    n_frames, normalised = _form(args.n_frames, sides.values())
    with tempfile.TemporaryDirectory() as cache:
        path = metric_path("spectrogram_quality")
        metric = evaluate.load(path, embedder=_embedder(args.embedder), cache_dir=cache)
        for _, clips in _progress(sides["REAL"], n_frames, normalised):
            metric.add_batch(references=clips)
        for names, clips in _progress(sides["FAKE"], n_frames, normalised):
            metric.add_batch(predictions=clips)
            if conditioning is not None:
                conditioning.add(names, clips)
        more = {}
        if args.training is not None:  # in the own space held-out clips are compared with those of the training
            more["training"] = _features(metric, args.training, "training", n_frames, args.jobs)
            more["held_out"] = _features(metric, args.held_out, "held_out", n_frames, args.jobs, held_out)
        elif held_out is not None:
            for _ in _progress(held_out, n_frames, normalised):
                pass  # what cannot be read is left out before clips are chosen to be heard
        statistics = metric.reducer.statistics
        groups = None if artists is None else [artists[name] for name in sides["REAL"].names]
        options = {"confidence": confidence, "n_resamples": args.n_resamples, "seed": args.seed}
        answer = metric.compute(reference_groups=groups, **options, **more)
    del answer["notes"]["external_skill"]  # the next line says more
    _add_external(answer, missing, options, args.external, heard, statistics, n_frames, args.seed, groups)
    _add_notes(answer, args)
    conditioned = None if conditioning is None else conditioning.compute(confidence)
    given = {
        "confidence": confidence,
        "n_resamples": args.n_resamples,
        "seed": args.seed,
        "n_frames": n_frames,
        "recogniser": args.recogniser,
        "artists": None if args.artists is None else shown(args.artists),
    }
    return {
        "sides": {side: _described(clips) for side, clips in heard.items()},
        **given,
        **answer,
        "conditioning": conditioned,
    }


def _artists(path: Path, real: Clips) -> dict[str, str]:
    from musemo_hf.commands.score.artists import artists_of

    return artists_of(path, real.all_names())


def _add_external(
    answer: dict[str, Any], missing: str | None, options: dict[str, Any], judge: str, *arguments: Any
) -> None:
    """Add the external figures to the answer, or a note with the reason why there are none."""
    from musemo_hf.commands.score.external import NONE, external_features
    from musemo_hf.evaluation.external.external_answer import external_answer

    if judge == NONE:
        return
    external = None
    if missing is None:
        external, missing = external_features(judge, *arguments)
    try:
        found = {} if external is None else external_answer(external, **options)
    except ValueError as error:
        found, missing = {}, str(error)
    answer["notes"] |= found.pop("external_notes", {}) | ({} if missing is None else {"external_skill": missing})
    answer |= found


def _add_notes(answer: dict[str, Any], args: argparse.Namespace) -> None:
    from musemo_hf.commands.score.artists import HELD_OUT_UNKNOWN, NOT_GIVEN

    if args.artists is None:
        answer["notes"]["artists"] = NOT_GIVEN
    elif args.held_out is not None:
        answer["notes"]["artists"] = HELD_OUT_UNKNOWN
    if args.held_out is not None and args.held_out.suffix == ".npz" and "external_skill" in answer:
        answer["notes"]["external_held_out"] = f"embeddings are no sound: REAL is halved instead of {args.held_out}"


def _embedder(name: str) -> Any:
    from musemo_hf.evaluation.spaces.embedders import embedder_names

    if name in embedder_names():
        return name
    from musemo_hf.pipelines.embedders.find import find_embedder

    return find_embedder(name)


def _conditioning(args: argparse.Namespace) -> Conditioning | None:
    if args.emotions is None:
        return None
    from musemo_hf.commands.checkpoints import load_recogniser
    from musemo_hf.commands.score.conditioning import Conditioning
    from musemo_hf.data.emotion_table import read_emotions

    return Conditioning(read_emotions(args.emotions), *load_recogniser(args.recogniser))


def _form(n_frames: int | None, sides: Iterable[Clips]) -> tuple[int | None, bool]:
    """Return frames and unit for audio: those of the stored clips, or the longest excerpt that all files hold."""
    from musemo_hf.evaluation.arrays import looks_normalised

    sides = list(sides)
    stored = [clip for clip in (side.first() for side in sides) if clip is not None]
    normalised = any(looks_normalised(clip) for clip in stored)
    if n_frames is None and stored:
        n_frames = min(clip.shape[-1] for clip in stored)
    elif n_frames is None:
        n_frames = min((length for side in sides for length in side.lengths()), default=min(LENGTHS))
    return n_frames, normalised


def _progress(clips: Clips, n_frames: int | None, normalised: bool) -> Iterator[Batch]:
    from tqdm.auto import tqdm

    with tqdm(desc=str(clips.path), unit=" clips", disable=None, leave=False) as bar:
        for names, batch in clips.batches(n_frames, normalised):
            yield names, batch
            bar.update(len(batch))


def _features(
    metric: Any, path: Path | None, side: str, n_frames: int | None, jobs: int, clips: Clips | None = None
) -> Any:
    """Embed clips as they are read; an .npz is read, and checked, by the metric."""
    import numpy as np

    if path is None:
        return None
    if path.suffix == ".npz":
        if not path.is_file():
            raise ValueError(f"expected the {side} embeddings, found no file at {path}")
        return path
    clips = clips or open_clips(path, side, jobs)
    return np.concatenate([metric.reducer.embed(batch, side) for _, batch in _progress(clips, n_frames, False)])


def _described(clips: Clips) -> dict[str, Any]:
    from musemo_hf.pipelines.song_files import shown

    return {"path": shown(clips.path), "kind": clips.kind, "n_clips": clips.n_read, "left_out": clips.left_out}


def _page(result: dict[str, Any], command_line: str, sides: dict[str, Clips]) -> str:
    from musemo_hf.commands.score.listening import make_players
    from musemo_hf.commands.score.page import score_page

    return score_page(result, command_line, make_players(sides))


def plain(value: Any) -> Any:
    """Convert numpy's numbers to Python's, and NaN and infinity to None, for JSON."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value
