"""The report of a study as JSON, as Markdown, and as a page that stands alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from musemo_hf.experiments.study.study import Study
from musemo_hf.experiments.study.variant import variants
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.emotion_to_music import PRESETS
from musemo_hf.reporting.figures import curves, spectrogram_grid, to_data_uri, to_png
from musemo_hf.reporting.numbers import UNDEFINED, with_interval
from musemo_hf.reporting.provenance import caveats, label_kind
from musemo_hf.reporting.quality_figures import DOES_NOT_DECIDE, OWN_SKILL
from musemo_hf.reporting.templates import render

from .sound import SOUND_FIGURES, sound_note

COLUMNS = {
    "external_skill": ("skill through sound", 2),
    "detectability": ("detectability", 2),
    "external_coverage": ("coverage through sound", 2),
    "recognised_r_valence": ("valence r, recognised", 2),
    "recognised_r_arousal": ("arousal r, recognised", 2),
    "recognised_ccc_valence": ("valence CCC, recognised", 2),
    "recognised_ccc_arousal": ("arousal CCC, recognised", 2),
    "quality_score": ("quality score", 1),
    "skill": (OWN_SKILL, 2),
    "skill_six": (f"{OWN_SKILL}, modulation-v1 and six noises", 2),
    "kid": ("KID", 3),
    "coverage": ("coverage", 3),
    "coverage_of_real": ("coverage, relative to real songs", 2),
    "authenticity": ("authenticity", 3),
    "ccc_valence": ("valence CCC", 2),
    "ccc_arousal": ("arousal CCC", 2),
    "diversity": ("diversity, relative to real songs", 2),
}
DIFFERENCES = ("quality_score", "skill", "kid", "coverage", "authenticity", "ccc_valence", "ccc_arousal")
MAIN = ("quality_score", "skill", "kid", "coverage", "ccc_valence", "ccc_arousal")  # what fits beside each other
GRID_DPI = 45  # twenty rows of five spectrograms, and a page of few megabytes


def write_reports(study: Study, report: dict[str, Any]) -> Path:
    """Write `report.json`, `report.md` and `report.html` into the folder of the study, and return the folder."""
    atomic_write(study.run_dir / "report.json", json.dumps(report, indent=1))
    atomic_write(study.run_dir / "report.md", markdown(report))
    atomic_write(study.run_dir / "report.html", page(report, pictures(study, report)))
    return study.run_dir


def table(report: dict[str, Any]) -> list[dict[str, str]]:
    """Return a row of texts for each variant and way of sampling, of its arrays; its keys are the titles."""
    return [_cells(row) for row in report["rows"]]


def sound_table(report: dict[str, Any]) -> list[dict[str, str]]:
    """Return a row of texts for each variant and way of sampling, of its sound, and one of real songs.

    Their keys are the titles; there are no rows where nothing was measured through sound.
    """
    if report["sound"] is None:
        return []
    real = {"label": "real songs", "seeds": [], "figures": report["sound"]["figures"]}
    return [
        {"variant": row["label"], "seeds": ", ".join(map(str, row["seeds"]))} | _texts(row["figures"], SOUND_FIGURES)
        for row in (*report["rows"], real)
    ]


def _texts(figures: dict[str, dict[str, Any]], names: Sequence[str]) -> dict[str, str]:
    texts = {}
    for name in names:
        title, digits = COLUMNS[name]
        figure = figures.get(name)
        texts[title] = with_interval(figure["value"], figure["interval"], digits) if figure else UNDEFINED
    return texts


def _cells(row: dict[str, Any]) -> dict[str, str]:
    cells = {"variant": row["label"], "seeds": ", ".join(map(str, row["seeds"]))}
    cells |= _texts(row["figures"], [name for name in COLUMNS if name not in SOUND_FIGURES])
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


def difference_table(report: dict[str, Any], names: Sequence[str] = DIFFERENCES) -> list[dict[str, str]]:
    """Return some figures of each row that has them minus those of the baseline, as texts."""
    return [
        {"variant": label}
        | {COLUMNS[name][0]: _signed(figures[name], COLUMNS[name][1]) for name in names if name in figures}
        for label, figures in report["differences"].items()
        if any(name in figures for name in names)
    ]


def _signed(figure: dict[str, Any], digits: int) -> str:
    shown = with_interval(figure["value"], figure["interval"], digits, "+")
    excludes_zero = figure["interval"] is not None and not figure["interval"][0] <= 0 <= figure["interval"][1]
    return f"{shown} *" if excludes_zero and shown != UNDEFINED else shown


def markdown(report: dict[str, Any]) -> str:
    """Write the tables as Markdown, with budget, fold, counts, seeds, intervals and the command."""
    return render("study.md.jinja", **_context(report))


def page(report: dict[str, Any], drawn: dict[str, Figure]) -> str:
    """Write the page, with the pictures inside it.

    Args:
        report: The result of `build_report`.
        drawn: The result of `pictures`.
    """
    inside = {
        name: to_data_uri(to_png(figure, GRID_DPI if name == "spectrograms" else 90), "image/png")
        for name, figure in drawn.items()
    }
    n_caveats = len(caveats(report["corpus"]))
    return render("study.html.jinja", **_context(report), pictures=inside, n_caveats=n_caveats)


def _context(report: dict[str, Any]) -> dict[str, Any]:
    rows = table(report)
    main = [COLUMNS[name][0] for name in MAIN]
    return {
        "report": report,
        "label_kind": label_kind(report["corpus"]),
        "rows": rows,
        "own_skill_note": f"{OWN_SKILL.capitalize()}: 0 is the best noise, 1 is other real music. {DOES_NOT_DECIDE}",
        "sound_rows": sound_table(report),
        "sound_note": sound_note(report["sound"]) if report["sound"] else "",
        "sound_titles": [COLUMNS[name][0] for name in SOUND_FIGURES],
        "sound_differences": difference_table(report, SOUND_FIGURES),
        "main_titles": main,
        "further_titles": [title for title in (rows[0] if rows else ()) if title not in ("variant", *main)],
        "differences": difference_table(report),
        "difference_titles": [COLUMNS[name][0] for name in DIFFERENCES],
        "aims": [aim | {"verdict": _VERDICTS[aim["met"]]} for aim in report["aims"]],
    }


_VERDICTS = {True: "met", False: "missed", None: "not defined"}


def pictures(study: Study, report: dict[str, Any]) -> dict[str, Figure]:
    """Draw the training curves, and the clips of each variant for the five presets below real songs."""
    drawn = {}
    for name, label, band in (
        ("kid", "KID of 64 clips during training", None),
        ("accuracy", "discriminator accuracy", (0.7, 0.8)),
        ("generator_loss", "generator loss", None),
    ):
        series = {variant: lines[name] for variant, lines in report["curves"].items() if lines[name]["step"]}
        if series:
            drawn[name] = curves(series, label, band)
    drawn["spectrograms"] = spectrograms(study)
    return drawn


def spectrograms(study: Study) -> Figure:
    """Draw a column for each preset, with a row of real songs and a row for each variant (its first seed)."""
    points = np.array(list(PRESETS.values()))
    away = np.linalg.norm(study.held_out.emotion[None] - points[:, None], axis=-1)
    rows: dict[str, Any] = {"real": [study.held_out.spectrogram[index] for index in away.argmin(axis=1)]}
    for variant in variants(study):
        examples = variant.folder / "examples.npy"
        if variant.name not in rows and examples.is_file():
            rows[variant.name] = list(np.load(examples).astype(np.float32))
    return spectrogram_grid(rows, list(PRESETS))
