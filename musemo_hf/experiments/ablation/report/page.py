"""The report of an ablation as Markdown and as a page that stands alone."""

import io
import json
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile
import torch
from matplotlib.figure import Figure

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.split_work import SplitWork
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.emotion_to_music import PRESETS, MusemoPipeline
from musemo_hf.pipelines.song import Song
from musemo_hf.reporting.figures import curves, spectrogram_grid, to_data_uri, to_png

from .forest import forest
from .names import arm_name, baseline_name

COLUMNS = (("ccc", "CCC"), ("pearson_r", "r"), ("rmse", "RMSE"), ("r2", "R²"), ("ccc_rescaled", "CCC rescaled"))


def write_reports(ablation: Ablation, report: dict[str, Any]) -> Path:
    """Write `report.json`, `report.md`, its `forest.png` and `report.html` into the run's folder, and return it."""
    folder = ablation.run_dir
    atomic_write(folder / "report.json", json.dumps(report, indent=1))
    (folder / "forest.png").write_bytes(to_png(forest(report), dpi=120))
    atomic_write(folder / "report.md", markdown(report))
    atomic_write(folder / "report.html", page(report, ablation))
    return folder


def arm_table(report: dict[str, Any]) -> list[dict[str, Any]]:
    """A row an arm and dimension, cells as text; then the baselines with the run's own labels."""
    rows = []
    for arm, figures in report["arms"].items():
        rows += _rows(arm_name(arm), figures, {"mean": figures.get("delta_real")})
    against = report["baselines"]["real_to_best"]
    if against:
        own = report["baselines"]["labels"][report["corpus"]["labels"]]
        rows += [row for name, figures in own.items() for row in _rows(f"baseline: {baseline_name(name)}", figures, {})]
    return rows


def other_labels_table(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The baselines' rows with the labels that the run does not use, where those differ."""
    tables = report["baselines"]["labels"]
    return [
        row
        for kind, table in tables.items()
        if kind != report["corpus"]["labels"]
        for name, figures in table.items()
        for row in _rows(f"baseline: {baseline_name(name)} ({kind} labels)", figures, {})
    ]


def _rows(name: str, figures: dict[str, Any], deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "arm": name,
            "dimension": dimension,
            **{column: _cell(figures[column][dimension]) for column, _ in COLUMNS},
            "delta": _delta(deltas[dimension]) if deltas.get(dimension) else "",
        }
        for dimension in ("valence", "arousal", "mean")
    ]


def _cell(figure: dict[str, Any]) -> str:
    low, high = figure["interval"]
    if not np.isfinite(figure["value"]):
        return "not defined"
    return f"{figure['value']:.3f} [{low:.3f}, {high:.3f}]"


def _delta(delta: dict[str, Any]) -> str:
    low, high = delta["interval"]
    p_value = f"{delta['p_holm']:.3f}" if delta["p_holm"] >= 0.001 else "< 0.001"
    return f"{delta['value']:+.3f} [{low:+.3f}, {high:+.3f}], p (Holm) {p_value}"


def markdown(report: dict[str, Any]) -> str:
    """The tables as Markdown, with the command, the counts, the seeds and the intervals beside them."""
    return _environment().get_template("ablation.md.jinja").render(**_context(report))


def page(report: dict[str, Any], ablation: Ablation) -> str:
    """The page, with pictures and players inside it."""
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
    return _environment().get_template("ablation.html.jinja").render(**context)


def _context(report: dict[str, Any]) -> dict[str, Any]:
    parts = ("frechet_score", "moment_score", "smoothness_score", "frequency_score", "range_score")
    quality = report["quality"] or {}
    return {
        "report": report,
        "rows": arm_table(report),
        "other_rows": other_labels_table(report),
        "columns": COLUMNS,
        "arm_name": arm_name,
        "parts": {name: (quality.get(name), quality.get(f"{name}_interval")) for name in ("quality_score", *parts)},
        "beside": {name: (quality.get(name), quality.get(f"{name}_interval")) for name in _BESIDE},
    }


_BESIDE = ("skill", "kid", "precision", "recall", "density", "coverage", "authenticity", "published_score")


def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("musemo_hf.reporting")
    environment = jinja2.Environment(
        loader=loader, autoescape=jinja2.select_autoescape(("html.jinja",)), trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = _figure
    environment.filters["signed"] = _signed
    return environment


def _figure(pair: tuple[float | None, list[float] | None], digits: int = 2) -> str:
    value, ends = pair
    if value is None or not np.isfinite(value):
        return "not defined"
    return f"{value:.{digits}f}" + (f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]" if ends else "")


def _signed(delta: dict[str, Any]) -> str:
    low, high = delta["interval"]
    return f"{delta['value']:+.3f} [{low:+.3f}, {high:+.3f}] ({baseline_name(delta['best'])})"


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
    """The five presets by the generator of the first split that has one; none without any."""
    works = [work for split in ablation.splits if (work := SplitWork(ablation, split)).generator.trained]
    if not works:
        return {}
    extractor = MusemoFeatureExtractor.from_pretrained(works[0].dir / "generator")
    pipeline = MusemoPipeline(works[0].generator.model.cpu(), extractor)
    pipeline.set_progress_bar_config(disable=True)
    return {name: pipeline(*point, seed=0).songs[0] for name, point in PRESETS.items()}


def preset_picture(ablation: Ablation, songs: dict[str, Song]) -> Figure:
    """Each preset's generated spectrogram under the test song of nearest emotion."""
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
    soundfile.write(buffer, song.audio / max(1.0, float(np.abs(song.audio).max())), song.sampling_rate, format="MP3")
    return buffer.getvalue()
