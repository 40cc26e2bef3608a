"""The report on recognisers, as plain data, and its page."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.statistics.comparison import compare_arms, compare_with_best
from musemo_hf.files import atomic_write
from musemo_hf.reporting.provenance import versions
from musemo_hf.reporting.templates import render

from .comparison import N_FOLDS, RecogniserComparison
from .network import network_report
from .recipes import RECIPES, TEACHERS_SHARE

# (recipe, the one that it is compared with)
DIFFERENCES = (
    ("statistics", "texture"),
    ("statistics", "texture_tonal"),
    ("taught", "texture"),
    ("taught", "statistics"),
    ("external", "texture_embedding"),
    ("external", "statistics"),
)
DIMENSIONS = ("valence", "arousal", "mean")


def build_report(
    comparison: RecogniserComparison, corpus: dict[str, Any], command: str, network_dir: Path | None = None
) -> dict[str, Any]:
    """Compute the figures of all recipes and their differences.

    Args:
        comparison: The finished comparison.
        corpus: The description of the corpus, with `name` and `procedural`.
        command: The command line that makes the report.
        network_dir: The folder of an ablation with the network alone, see `network_report`.

    Returns:
        `recipes` (recipe -> `kind`, `title`, `n_seeds`, and the figures of `compare_arms`), `differences`, `network`,
        `corpus`, `embedder`, `seeds`, `command`, `versions`.
    """
    names = comparison.recipes()
    predictions = {name: comparison.predictions(name) for name in names}
    labels = comparison.songs.emotion.astype(np.float64)
    groups = artist_groups(comparison.songs.artist)
    figures = compare_arms(predictions, labels, groups, reference=None)
    recipes = {
        name: {"kind": RECIPES[name].kind, "title": RECIPES[name].title, "n_seeds": len(predictions[name])}
        | figures[name]
        for name in names
    }
    differences = [
        {"recipe": recipe, "rival": rival} | compare_with_best(predictions, labels, groups, recipe, [rival])
        for recipe, rival in DIFFERENCES
        if {recipe, rival} <= set(names)
    ]
    report = {
        "recipes": recipes,
        "differences": differences,
        "network": None if network_dir is None else network_report(comparison, network_dir),
        "corpus": corpus | {"n_songs": len(labels), "n_artists": len(set(groups)), "n_folds": N_FOLDS},
        "embedder": comparison.embedder,
        "teachers_share": TEACHERS_SHARE,
        "seeds": list(comparison.seeds),
        "command": command,
        "versions": versions(),
    }
    return json.loads(json.dumps(report, default=float))


def report_of_recipe(report: dict[str, Any], recipe: str) -> dict[str, Any]:
    """Return the report of one recipe in the form of an ablation's, from which a recogniser's card is filled."""
    found, corpus = report["recipes"][recipe], report["corpus"]
    arm = {name: found[name] for name in ("ccc", "pearson_r", "rmse", "r2")}
    mean, each = arm["ccc"]["mean"], [f"{arm['ccc'][name]['value']:.3f} in {name}" for name in DIMENSIONS[:2]]
    sentence = (
        f"Out of fold over {corpus['n_songs']} ten-second excerpts by {corpus['n_artists']} artists, {found['kind']} "
        f"({found['title']}): mean CCC {mean['value']:.3f} ({mean['interval'][0]:.3f} to {mean['interval'][1]:.3f}), "
        f"{' and '.join(each)}, {found['n_seeds']} seeds."
    )
    shared = {name: report[name] for name in ("seeds", "command", "versions")}
    return {"arms": {"real": arm}, "corpus": corpus, "budget": "recognisers", "findings": [sentence], **shared}


def write_report(report: dict[str, Any], folder: Path) -> Path:
    """Write `report.json`, a report for each recipe, and the page `recogniser.md`, whose path is returned."""
    atomic_write(folder / "report.json", json.dumps(report, indent=1))
    for recipe in report["recipes"]:
        atomic_write(folder / f"report-{recipe}.json", json.dumps(report_of_recipe(report, recipe), indent=1))
    page = folder / "recogniser.md"
    atomic_write(page, render("recogniser.md.jinja", report=report, dimensions=DIMENSIONS))
    return page
