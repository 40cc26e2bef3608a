"""The report of an ablation as Markdown and as a page, which plays the sounds beside it."""

import json
from pathlib import Path
from typing import Any

from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.files import atomic_write
from musemo_hf.reporting.figures import curves, to_data_uri, to_png
from musemo_hf.reporting.numbers import with_interval
from musemo_hf.reporting.provenance import label_kind
from musemo_hf.reporting.quality_figures import (
    PARTS,
    READING,
    figure_rows,
    note_sentences,
    reference_scale,
    target_rows,
)
from musemo_hf.reporting.templates import render

from .answer import COLUMNS as ANSWER_COLUMNS
from .answer import QUESTION, answer
from .forest import forest
from .listening import draw_examples, make_examples, write_players
from .names import arm_name, baseline_name

COLUMNS = (("ccc", "CCC"), ("pearson_r", "r"), ("rmse", "RMSE"), ("r2", "R²"), ("ccc_rescaled", "CCC rescaled"))


def write_reports(ablation: Ablation, report: dict[str, Any], data_dir: str | Path | None = None) -> Path:
    """Write `report.json`, `report.md`, `forest.png`, and `report.html` with `sounds/` into the folder of the run.

    Args:
        ablation: The ablation.
        report: The result of `build_report`.
        data_dir: The folder of the songs, whose recordings the page plays; None for the default corpus.
    """
    folder = ablation.run_dir
    atomic_write(folder / "report.json", json.dumps(report, indent=1))
    atomic_write(folder / "forest.png", to_png(forest(report), dpi=120))
    atomic_write(folder / "report.md", markdown(report))
    atomic_write(folder / "report.html", page(report, ablation, data_dir))
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
            "arm": name if dimension == "valence" else "",
            "name": name,
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


def page(report: dict[str, Any], ablation: Ablation, data_dir: str | Path | None = None) -> str:
    """Write the page, with pictures inside it, and the sounds that it plays beside it; see `write_reports`."""
    examples = make_examples(ablation)
    pictures = {"arms": forest(report)}
    accuracy = _series(report, "accuracy")
    losses = _series(report, "discriminator_loss", "D ") | _series(report, "generator_loss", "G ")
    losses |= _series(report, "loss")
    if accuracy:
        pictures["accuracy"] = curves(accuracy, "discriminator accuracy", band=(0.7, 0.8))
    if losses:
        pictures["losses"] = curves(losses, "loss", None)
    if examples:
        pictures["presets"] = draw_examples(examples)
    context = _context(report) | {
        "pictures": {name: to_data_uri(to_png(figure), "image/png") for name, figure in pictures.items()},
        "players": write_players(ablation.run_dir, examples, report["corpus"]["config_name"], data_dir),
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
        "parts": figure_rows(quality, PARTS),
        "reading": figure_rows(quality, READING),
        "ladder": reference_scale(quality.get("ladder")),
        "targets": target_rows(report["validation"]["targets"]),
        "notes": note_sentences(quality.get("notes")),
        "answer": answer(report),
        "question": QUESTION,
        "answer_columns": ANSWER_COLUMNS,
    }


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
