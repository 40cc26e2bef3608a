"""The report of an ablation as Markdown and as a page that stands alone."""

import io
import json
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.audio.loudness import write_playback
from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.split_work import SplitWork
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.emotion_to_music import PRESETS, MusemoPipeline
from musemo_hf.pipelines.song import Song
from musemo_hf.reporting.figures import curves, spectrogram_grid, to_data_uri, to_png
from musemo_hf.reporting.numbers import with_interval
from musemo_hf.reporting.provenance import label_kind
from musemo_hf.reporting.templates import render

from .forest import forest
from .names import arm_name, baseline_name

COLUMNS = (("ccc", "CCC"), ("pearson_r", "r"), ("rmse", "RMSE"), ("r2", "R²"), ("ccc_rescaled", "CCC rescaled"))


def write_reports(ablation: Ablation, report: dict[str, Any]) -> Path:
    """Write `report.json`, `report.md`, its `forest.png` and `report.html` into the folder of the run."""
    folder = ablation.run_dir
    atomic_write(folder / "report.json", json.dumps(report, indent=1))
    atomic_write(folder / "forest.png", to_png(forest(report), dpi=120))
    atomic_write(folder / "report.md", markdown(report))
    atomic_write(folder / "report.html", page(report, ablation))
    return folder


def arm_table(report: dict[str, Any]) -> list[dict[str, str]]:
    """Return a row of texts for each arm and dimension, then for the baselines with the labels of the run."""
    rows = [row for arm, figures in report["arms"].items() for row in _rows(arm_name(arm), figures)]
    if report["baselines"]["real_to_best"]:
        own = report["baselines"]["labels"][report["corpus"]["labels"]]
        rows += [row for name, figures in own.items() for row in _rows(f"baseline: {baseline_name(name)}", figures)]
    return rows


def other_labels_table(report: dict[str, Any]) -> list[dict[str, str]]:
    """Return the rows of the baselines with the labels that the run does not use, where those differ."""
    return [
        row
        for kind, table in report["baselines"]["labels"].items()
        if kind != report["corpus"]["labels"]
        for name, figures in table.items()
        for row in _rows(f"baseline: {baseline_name(name)} ({kind} labels)", figures)
    ]


def _rows(name: str, figures: dict[str, Any]) -> list[dict[str, str]]:
    delta = figures.get("delta_real")
    return [
        {
            "arm": name,
            "dimension": dimension,
            **{column: _pair(figures[column][dimension], digits=3) for column, _ in COLUMNS},
            "delta": _delta(delta) if delta and dimension == "mean" else "",
        }
        for dimension in ("valence", "arousal", "mean")
    ]


def _pair(figure: dict[str, Any], **options: Any) -> str:
    return with_interval(figure["value"], figure["interval"], **options)


def _delta(delta: dict[str, Any]) -> str:
    p_value = f"{delta['p_holm']:.3f}" if delta["p_holm"] >= 0.001 else "< 0.001"
    return f"{_pair(delta, digits=3, sign='+')}, p (Holm) {p_value}"


def markdown(report: dict[str, Any]) -> str:
    """Write the tables as Markdown, with the command, the counts, the seeds and the intervals."""
    return render("ablation.md.jinja", **_context(report))


def page(report: dict[str, Any], ablation: Ablation) -> str:
    """Write the page, with pictures and players inside it."""
    songs = render_presets(ablation)
    pictures = {"arms": forest(report)}
    accuracy = _series(report, "accuracy")
    losses = _series(report, "discriminator_loss", "D ") | _series(report, "generator_loss", "G ")
    losses |= _series(report, "loss")
    if accuracy:
        pictures["accuracy"] = curves(accuracy, "discriminator accuracy", band=(0.7, 0.8))
    if losses:
        pictures["losses"] = curves(losses, "loss", None)
    if songs:
        pictures["presets"] = preset_picture(ablation, songs)
    context = _context(report) | {
        "pictures": {name: to_data_uri(to_png(figure), "image/png") for name, figure in pictures.items()},
        "players": {name: to_data_uri(_encoded(song), "audio/mpeg") for name, song in songs.items()},
    }
    return render("ablation.html.jinja", **context)


def _context(report: dict[str, Any]) -> dict[str, Any]:
    quality = report["quality"] or {}
    return {
        "report": report,
        "label_kind": label_kind(report["corpus"]),
        "rows": arm_table(report),
        "other_rows": other_labels_table(report),
        "columns": COLUMNS,
        "arm_name": arm_name,
        "with_interval": with_interval,
        "best_delta": lambda delta: f"{_pair(delta, digits=3, sign='+')} ({baseline_name(delta['best'])})",
        "parts": {name: with_interval(quality.get(name), quality.get(f"{name}_interval"), 1) for name in _PARTS},
        "reading": {name: with_interval(quality.get(name), quality.get(f"{name}_interval")) for name in _READING},
    }


_PARTS = ("quality_score", "frechet_score", "moment_score", "smoothness_score", "frequency_score", "range_score")
_READING = ("skill", "kid", "precision", "recall", "density", "coverage", "authenticity", "published_score")


def _series(report: dict[str, Any], name: str, prefix: str = "") -> dict[str, dict[str, list[float]]]:
    series = {}
    for split, training in report["generator_training"].items():
        kept = [
            (step, value) for step, value in zip(training["step"], training[name], strict=True) if value is not None
        ]
        if not kept:
            continue
        series[prefix + split] = {"step": [step for step, _ in kept], "value": [value for _, value in kept]}
    return series


def render_presets(ablation: Ablation) -> dict[str, Song]:
    """Render the five presets by the first generator; none without a generator."""
    works = [work for split in ablation.splits if (work := SplitWork(ablation, split)).generator.trained]
    if not works:
        return {}
    extractor = MusemoFeatureExtractor.from_pretrained(works[0].dir / "generator")
    pipeline = MusemoPipeline(works[0].generator.model.cpu(), extractor)
    pipeline.set_progress_bar_config(disable=True)
    return {name: pipeline(*point, seed=0).songs[0] for name, point in PRESETS.items()}


def preset_picture(ablation: Ablation, songs: dict[str, Song]) -> Figure:
    """Draw the generated spectrogram of each preset below the test song of the nearest emotion."""
    split = ablation.splits[0]
    labels = ablation.clips.emotion[torch.from_numpy(split.test)]
    nearest: dict[str, int] = {
        name: int(split.test[int(torch.cdist(torch.tensor([point]), labels).argmin())])
        for name, point in PRESETS.items()
    }
    rows = {
        "real": [ablation.songs.spectrogram[index] for index in nearest.values()],
        "generated": [song.spectrogram for song in songs.values()],
    }
    titles = [
        "{} ({:+.1f}, {:+.1f})\nreal: ({:+.1f}, {:+.1f})".format(name, *point, *ablation.songs.emotion[nearest[name]])
        for name, point in PRESETS.items()
    ]
    return spectrogram_grid(rows, titles)


def _encoded(song: Song) -> bytes:
    buffer = io.BytesIO()
    write_playback(buffer, song.audio, song.sampling_rate, "MP3")
    return buffer.getvalue()
