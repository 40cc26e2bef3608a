"""A study's table as Markdown, JSON, and a page that stands alone with curves and spectrograms."""

import json
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib.figure import Figure

from musemo_hf.experiments.study.study import Study
from musemo_hf.experiments.study.variant import variants
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.emotion_to_music import PRESETS
from musemo_hf.reporting.figures import curves, spectrogram_grid, to_data_uri, to_png

COLUMNS = {
    "quality_score": ("quality score", 1),
    "skill": ("skill", 2),
    "skill_six": ("skill, modulation-v1 and six noises", 2),
    "kid": ("KID", 3),
    "coverage": ("coverage", 3),
    "coverage_of_real": ("of real songs'", 2),
    "authenticity": ("authenticity", 3),
    "ccc_valence": ("valence CCC", 2),
    "ccc_arousal": ("arousal CCC", 2),
    "diversity": ("diversity, of real", 2),
}
DIFFERENCES = ("quality_score", "skill", "kid", "coverage", "authenticity", "ccc_valence", "ccc_arousal")
GRID_DPI = 45  # twenty rows of five spectrograms, and a page of few megabytes


def write_reports(study: Study, report: dict[str, Any]) -> Path:
    """Write `report.json`, `report.md` and `report.html` into the study's folder, and return it."""
    atomic_write(study.run_dir / "report.json", json.dumps(report, indent=1))
    atomic_write(study.run_dir / "report.md", markdown(report))
    atomic_write(study.run_dir / "report.html", page(report, pictures(study, report)))
    return study.run_dir


def table(report: dict[str, Any]) -> list[dict[str, str]]:
    """A row a rung and way of sampling, cells as text; its keys are the titles."""
    return [_cells(row) for row in report["rows"]]


def _cells(row: dict[str, Any]) -> dict[str, str]:
    cells = {"rung": row["label"], "seeds": ", ".join(map(str, row["seeds"]))}
    for name, (title, digits) in COLUMNS.items():
        cells[title] = _figure(row["figures"].get(name), digits)
    if row["kid_se"] is not None:
        cells["KID"] += f" (se {row['kid_se']:.3f})"
        cells["authenticity"] += f"; real {row['authenticity_of_real']:.3f}"
    sampling = row["figures"].get("sampling_seconds")
    return cells | {
        "ms a step": f"{row['ms_per_step']:.0f}",
        "s to train": f"{row['seconds']:.0f}",
        "s to sample a clip": "" if sampling is None else f"{sampling['value']:.3f}",
        "parameters": f"{row['n_parameters'] / 1e6:.2f} M",
        "red flag": "; ".join(row["red_flags"]) or "none",
    }


def _figure(figure: dict[str, Any] | None, digits: int) -> str:
    if figure is None or not np.isfinite(figure["value"]):
        return "not defined"
    ends = figure["interval"]
    told = ends is not None and np.isfinite(ends).all()
    return f"{figure['value']:.{digits}f}" + (f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]" if told else "")


def difference_table(report: dict[str, Any]) -> list[dict[str, str]]:
    """Each row's figures less the baseline's, cells as text."""
    return [
        {"rung": label} | {COLUMNS[name][0]: _signed(figures[name], COLUMNS[name][1]) for name in DIFFERENCES}
        for label, figures in report["differences"].items()
    ]


def _signed(figure: dict[str, Any], digits: int) -> str:
    if not np.isfinite(figure["value"]):
        return "not defined"
    shown = f"{figure['value']:+.{digits}f}"
    if figure["interval"] is None:
        return shown
    low, high = figure["interval"]
    return f"{shown} [{low:+.{digits}f}, {high:+.{digits}f}]" + ("" if low <= 0 <= high else " *")


def markdown(report: dict[str, Any]) -> str:
    """The tables, with budget, fold, counts, seeds, intervals and the command beside them."""
    return _environment().get_template("study.md.jinja").render(**_context(report))


def page(report: dict[str, Any], drawn: dict[str, Figure]) -> str:
    """The page, pictures inside it.

    Args:
        report: of `build_report`.
        drawn: of `pictures`.
    """
    inside = {
        name: to_data_uri(to_png(figure, GRID_DPI if name == "spectrograms" else 90), "image/png")
        for name, figure in drawn.items()
    }
    return _environment().get_template("study.html.jinja").render(**_context(report), pictures=inside)


def _context(report: dict[str, Any]) -> dict[str, Any]:
    return {
        "report": report,
        "rows": table(report),
        "differences": difference_table(report),
        "aims": [aim | {"verdict": _VERDICTS[aim["met"]]} for aim in report["aims"]],
    }


_VERDICTS = {True: "met", False: "missed", None: "not defined"}


def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("musemo_hf.reporting")
    autoescape = jinja2.select_autoescape(("html.jinja",))
    return jinja2.Environment(loader=loader, autoescape=autoescape, trim_blocks=True, lstrip_blocks=True)


def pictures(study: Study, report: dict[str, Any]) -> dict[str, Figure]:
    """Curves of the trainings, and each rung's clips of the five presets under real songs of the nearest emotion."""
    drawn = {}
    for name, label, band in (
        ("kid", "KID of 64 clips during training", None),
        ("accuracy", "discriminator accuracy", (0.7, 0.8)),
        ("generator_loss", "generator loss", None),
    ):
        series = {rung: lines[name] for rung, lines in report["curves"].items() if lines[name]["step"]}
        if series:
            drawn[name] = curves(series, label, band)
    drawn["spectrograms"] = spectrograms(study)
    return drawn


def spectrograms(study: Study) -> Figure:
    """A row of real songs, and a row a rung (its first seed), a column a preset."""
    points = np.array(list(PRESETS.values()))
    away = np.linalg.norm(study.held_out.emotion[None] - points[:, None], axis=-1)
    rows: dict[str, Any] = {"real": [study.held_out.spectrogram[index] for index in away.argmin(axis=1)]}
    for rung in variants(study):
        examples = rung.folder / "examples.npy"
        if rung.name not in rows and examples.is_file():
            rows[rung.name] = list(np.load(examples).astype(np.float32))
    return spectrogram_grid(rows, list(PRESETS))
