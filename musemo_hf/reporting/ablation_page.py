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
from musemo_hf.pipelines.emotion_to_music import PRESETS, MusemoPipeline
from musemo_hf.pipelines.song import Song
from musemo_hf.trainers.ablation import Ablation, SplitWork
from musemo_hf.trainers.checkpoint import write_text

from .figures import curves, spectrogram_grid, to_data_uri, to_png

COLUMNS = (("ccc", "CCC"), ("pearson_r", "r"), ("rmse", "RMSE"), ("r2", "R²"), ("ccc_rescaled", "CCC rescaled"))
ARM_NAMES = {
    "real": "real songs",
    "real_longer": "real, 3.3x updates",
    "real_resampled": "real, uniform over the plane",
    "specaugment": "real, SpecAugment",
    "mixup": "real, mixup",
    "shift_gain": "real, time shift + gain",
    "copies": "real + copies, synthetic labels",
    "noise": "real + noise, synthetic labels",
    "synthetic": "real + synthetic",
    "synthetic_shuffled": "real + synthetic, labels shuffled",
    "synthetic_only": "synthetic only",
}


def write_reports(ablation: Ablation, report: dict[str, Any]) -> Path:
    """Write `report.json`, `report.md` and `report.html` into the run's folder, and return it."""
    folder = ablation.run_dir
    write_text(folder / "report.json", json.dumps(report, indent=1))
    write_text(folder / "report.md", markdown(report))
    write_text(folder / "report.html", page(report, ablation))
    return folder


def arm_table(report: dict[str, Any]) -> list[dict[str, Any]]:
    """A row an arm and dimension, cells as text."""
    rows = []
    for arm, figures in report["arms"].items():
        for dimension in ("valence", "arousal", "mean"):
            delta = figures.get("delta_real")
            rows.append(
                {
                    "arm": ARM_NAMES.get(arm, arm),
                    "dimension": dimension,
                    **{name: _cell(figures[name][dimension]) for name, _ in COLUMNS},
                    "delta": _delta(delta) if delta and dimension == "mean" else "",
                }
            )
    return rows


def _cell(figure: dict[str, Any]) -> str:
    low, high = figure["interval"]
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
    pictures = {
        "arms": forest(report),
        "accuracy": curves(_series(report, "accuracy"), "discriminator accuracy", band=(0.7, 0.8)),
        "losses": curves(
            _series(report, "discriminator_loss", "D ") | _series(report, "generator_loss", "G "), "loss", None
        ),
        "presets": preset_picture(ablation, songs),
    }
    context = _context(report) | {
        "pictures": {name: to_data_uri(to_png(figure), "image/png") for name, figure in pictures.items()},
        "players": {name: to_data_uri(_encoded(song), "audio/mpeg") for name, song in songs.items()},
    }
    return _environment().get_template("ablation.html.jinja").render(**context)


def _context(report: dict[str, Any]) -> dict[str, Any]:
    parts = ("frechet_score", "moment_score", "smoothness_score", "frequency_score", "range_score")
    quality = report["quality"]
    return {
        "report": report,
        "rows": arm_table(report),
        "columns": COLUMNS,
        "arm_names": ARM_NAMES,
        "parts": {name: (quality[name], quality.get(f"{name}_interval")) for name in ("quality_score", *parts)},
        "beside": {name: (quality.get(name), quality.get(f"{name}_interval")) for name in _BESIDE},
    }


_BESIDE = ("skill", "kid", "precision", "recall", "density", "coverage", "authenticity", "published_score")


def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("musemo_hf.reporting")
    environment = jinja2.Environment(
        loader=loader, autoescape=jinja2.select_autoescape(("html.jinja",)), trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = _figure
    return environment


def _figure(pair: tuple[float | None, list[float] | None], digits: int = 2) -> str:
    value, ends = pair
    if value is None or not np.isfinite(value):
        return "not defined"
    return f"{value:.{digits}f}" + (f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]" if ends else "")


def _series(report: dict[str, Any], name: str, prefix: str = "") -> dict[str, dict[str, list[float]]]:
    series = {}
    for split, training in report["generator_training"].items():
        kept = [
            (step, value) for step, value in zip(training["step"], training[name], strict=True) if value is not None
        ]
        series[prefix + split] = {"step": [step for step, _ in kept], "value": [value for _, value in kept]}
    return series


def forest(report: dict[str, Any]) -> Figure:
    """Each arm's difference in mean CCC to real songs, with its interval."""
    deltas = [(arm, figures["delta_real"]) for arm, figures in report["arms"].items() if "delta_real" in figures]
    figure = Figure(figsize=(7, 1.1 + 0.38 * len(deltas)), layout="constrained")
    axes = figure.add_subplot()
    for place, (_, delta) in enumerate(reversed(deltas)):
        low, high = delta["interval"]
        colour = "tab:green" if low > 0 else "tab:red" if high < 0 else "tab:gray"
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot(delta["value"], place, "o", color=colour)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(deltas)), [ARM_NAMES.get(arm, arm) for arm, _ in reversed(deltas)])
    axes.set_xlabel("mean CCC minus that of real songs, 95 % interval over artists")
    axes.set_ylim(-0.6, len(deltas) - 0.4)
    return figure


def render_presets(ablation: Ablation) -> dict[str, Song]:
    """The five presets by the first split's generator."""
    work = SplitWork(ablation, ablation.splits[0])
    pipeline = MusemoPipeline(work.generator.cpu(), MusemoFeatureExtractor.from_pretrained(work.dir / "generator"))
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
