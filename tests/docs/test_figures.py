"""A figure of the README or of a page of results is one that a command made: it stands in a page or report made by one.

Pages that rest on runs whose reports are not in the repository are left out: thirty seconds, speed, and the recogniser.
"""

import json
import re
from itertools import chain
from pathlib import Path

import pytest

from musemo_hf.experiments.metric_validation.sound_page import enough
from musemo_hf.reporting.quality_figures import DOES_NOT_DECIDE, OWN_SKILL

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "musemo_hf" / "checkpoints"
WITH_INTERVAL = re.compile(r"([+-]?\d+\.\d+) \[([+-]?\d+\.\d+), ([+-]?\d+\.\d+)\]")
# pages that commands write (musemo audit-labels, and the scripts and pages named in each)
MADE = [
    path
    for path in sorted((ROOT / "docs").glob("*.md"))
    if path.name.startswith(("ablation-", "study-", "deam-", "metric-", "recogniser", "few-songs", "sound"))
]


def with_intervals(text: str) -> set[tuple[float, float, float]]:
    return {tuple(map(float, found)) for found in WITH_INTERVAL.findall(text)}


def report_figures(value: object, interval: object = None):
    """Yield (value, low, high) of a report, whose intervals lie beside values or under `<name>_interval`."""
    if isinstance(value, dict):
        if isinstance(value.get("interval"), list) and isinstance(value.get("value"), float):
            yield (value["value"], *value["interval"])
        for name, item in value.items():
            yield from report_figures(item, value.get(f"{name}_interval"))
    elif isinstance(value, list) and isinstance(interval, list) and len(value) == len(interval):
        for item, ends in zip(value, interval, strict=True):
            yield from report_figures(item, ends)
    elif isinstance(value, list):
        for item in value:
            yield from report_figures(item)
    elif isinstance(value, float) and isinstance(interval, list) and len(interval) == 2:
        yield (value, *interval)


@pytest.fixture(scope="module")
def made() -> dict[int, set[tuple[float, ...]]]:
    """What commands made, rounded to each number of decimals."""
    texts = [path.read_text(encoding="utf-8") for path in MADE]
    stored = [*sorted(CHECKPOINTS.glob("*/report.json")), *sorted((ROOT / "docs" / "results").glob("*.json"))]
    reports = [json.loads(path.read_text()) for path in stored]
    figures = {*chain(*map(with_intervals, texts)), *chain(*map(report_figures, reports))}
    return {digits: {tuple(round(number, digits) for number in figure) for figure in figures} for digits in (1, 2, 3)}


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        *(f"docs/results/{name}.md" for name in ("index", "generators", "steering", "ablation", "few-songs", "study")),
    ],
)
def test_figures_with_intervals_were_made_by_a_command(page, made):
    found = WITH_INTERVAL.findall((ROOT / page).read_text(encoding="utf-8"))
    assert found, f"expected figures with intervals in {page}"
    for figure in found:
        digits = len(figure[0].partition(".")[2])
        assert tuple(map(float, figure)) in made[digits], f"{page}: no command made {figure}"


def test_the_other_figures_of_the_readme_are_on_the_pages_that_it_links():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for sentence in re.findall(r"^\*\*.*$", text, re.MULTILINE):
        (link,) = re.findall(r"\]\((docs/[^)]+)\)", sentence)
        page = (ROOT / link).read_text(encoding="utf-8")
        for figure in re.findall(r"-?\d+\.\d+", sentence):
            assert figure in page, f"{link}: no {figure}, which the README says"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 700


@pytest.mark.parametrize("page", [path.name for path in MADE if path.name.startswith(("ablation-", "study-"))])
def test_a_skill_of_arrays_says_that_it_is_of_the_own_space_and_does_not_decide(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert OWN_SKILL in text
    assert text.count(DOES_NOT_DECIDE) == 1
    assert not re.search(r"\| skill \||\bskill (?:>= )?[+-]?\d", text)


def test_the_least_number_of_clips_for_a_skill_is_that_of_the_measured_table():
    measured = (ROOT / "docs" / "metric-validation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| \S+ \[(\S+), \S+\] \| \S+ \[(\S+), \S+\] \|$", measured, re.MULTILINE)
    assert len(rows) >= 4
    table = [{"n": int(n), "own": [1.0, float(own)], "external": [1.0, float(other)]} for n, own, other in rows]
    least = enough(table)["own"]
    assert f"lies above 0.5 from {least} clips a side on" in measured
    for page in ("docs/tutorials/judge-a-generator.md", "musemo_hf/metrics/spectrogram_quality/README.md"):
        said = f"{2 * least} references, which are halved, and {least} predictions"
        assert said in " ".join((ROOT / page).read_text(encoding="utf-8").split()), f"{page}: expected {said}"
