"""A `report.json` as anyone may have written it: pages and cards show its usable parts and leave out the others."""

import json
import warnings
from pathlib import Path
from typing import Any

from musemo_hf.reporting.report_values import count, figure, flag, interval, listed, named, number, record, text, whole

MAX_BYTES = 20_000_000  # the largest report of this project has 2 MB
MAX_DEPTH = 40


class ReportError(ValueError):
    """Raised for a file that holds no report."""


def read_report(path: str | Path) -> dict[str, Any]:
    """Read a `report.json`.

    Raises:
        ReportError: The file is missing, unreadable, over 20 MB, not JSON, no object, or nested over 40 levels deep.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ReportError(f"expected a report of at most {MAX_BYTES:,} bytes in {path}, got more")
        report = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:  # JSON of many levels ends in RecursionError
        if isinstance(error, ReportError):
            raise
        raise ReportError(f"expected a report as JSON in {path}, got: {error}") from error
    if not isinstance(report, dict):
        raise ReportError(f"expected an object in {path}, got {type(report).__name__}")
    if _is_deeper(report, MAX_DEPTH):
        raise ReportError(f"expected at most {MAX_DEPTH} levels of nesting in {path}, got more")
    return report


def read_report_beside(checkpoint: str | Path) -> dict[str, Any] | None:
    """Read the report in the folder of a checkpoint; None if there is none, or with a warning if it cannot be read."""
    path = Path(checkpoint) / "report.json"
    if not path.is_file():
        return None
    try:
        return read_report(path)
    except ReportError as error:
        warnings.warn(f"no report is shown: {error}", stacklevel=2)
        return None


def held_out_fold(checkpoint: str | Path, corpus: str) -> int | None:
    """Return the fold of a corpus that was held out of the training of a generator.

    Args:
        checkpoint: The folder of the generator. Its `report.json` is in it, as packaged, or in the folder above, where
            `training/measure_generator.py` writes it.
        corpus: The name of the corpus, such as "DEAM".

    Returns:
        The fold; None where neither report names one of that corpus.

    Raises:
        ReportError: A report cannot be read, or its fold is not a number.
    """
    for path in (Path(checkpoint) / "report.json", Path(checkpoint).absolute().parent / "report.json"):
        report = read_report(path) if path.is_file() else {}
        fold, described = report.get("held_out_fold"), report.get("corpus")
        if fold is None or not isinstance(described, dict) or described.get("name") != corpus:
            continue  # a report on the training alone, which holds out nothing, may lie below the one that does
        if isinstance(fold, bool) or not isinstance(fold, int):
            raise ReportError(f"expected held_out_fold to be the number of a fold in {path}, got {fold!r}")
        return fold
    return None


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether lists and objects are nested over more than `levels` levels, one level after the other."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            child
            for part in level
            if isinstance(part, (dict, list))
            for child in (part.values() if isinstance(part, dict) else part)
        ]
    return bool(level)


def _two_intervals(value: Any) -> list[tuple[float, float]]:
    found = listed(interval)(value)
    if len(found) != 2:
        raise ValueError("an interval of valence and one of arousal")
    return found


def _uncertainty(value: Any) -> dict[str, Any]:
    both = {"value": interval, "interval": _two_intervals}  # of valence and of arousal
    found = whole(
        record(
            **{name: count for name in ("n", "n_groups", "n_calibration", "n_calibration_artists")},
            held_out=flag,
            own=record(coverage=named(record(**both)), width=named(interval)),
            nll_gain=record(**both),
        )
    )(value)
    if found["own"]["coverage"].keys() != found["own"]["width"].keys():
        raise ValueError("coverage and width of the same intervals")
    return found


def _validation(value: Any) -> dict[str, Any]:
    """Return the verdicts, which are texts; the details beside them are for other programs."""
    parts = value.items() if isinstance(value, dict) else [("validation", value)]
    return named(text)({name: part for name, part in parts if not isinstance(part, (dict, list))})


_GENERATED = ("external_skill", "detectability", "quality_score", "skill", "coverage", "authenticity")
_FIGURES = (*_GENERATED, "ccc_real_only", "ccc_augmented", "improvement_percent")

_REPORT = record(
    **{name: figure for name in _FIGURES},
    **{f"{name}_interval": interval for name in _FIGURES},
    quality=record(
        **{name: figure for name in _FIGURES},
        **{f"{name}_interval": interval for name in _FIGURES},
        tier=text,
        embedder=text,
        ladder=named(number),
        notes=named(text),
        n_predictions=count,
        n_references=count,
    ),
    arms=named(record(ccc=record(mean=figure))),
    corpus=record(name=text, n_songs=count, procedural=flag, heard=flag),
    validation=_validation,
    budget=text,
    seeds=listed(text),
    findings=listed(text),
    uncertainty=_uncertainty,
)
_EMPTY: dict[str, Any] = {}


def usable_report(report: Any) -> dict[str, Any]:
    """Return the parts that pages and cards show, each in its type; what is wrong is left out with a warning.

    Args:
        report: What a `report.json` held.

    Returns:
        All figures as {"value", "interval"}, and `quality`, `arms`, `corpus`, `validation`, `budget`, `seeds`,
        `findings` and `uncertainty`; None where one is missing or wrong. Texts are one line each, and are not escaped.
    """
    if report is not None and not isinstance(report, dict):
        warnings.warn(f"report: expected an object, got {type(report).__name__}; it is left out", stacklevel=2)
    return _REPORT(report if isinstance(report, dict) else _EMPTY)
