"""Write docs/reliability.md from the results of the tests of reliability.

python -m benchmarks.reliability RESULTS.xml docs/reliability.md

`make reliability` runs both. RESULTS.xml is what `pytest --junitxml` writes, with the counts of the fixture `tally`.
"""

import argparse
import json
import os
import platform
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from musemo_hf.files import atomic_write
from musemo_hf.reporting.provenance import versions
from musemo_hf.reporting.templates import render

# folder of the tests -> heading on the page; any other folder has its own name as heading
HEADINGS = {
    "reliability": "Training runs and files",
    "runner": "Tasks of several processes",
    "data": "Data",
    "audio": "Sound",
    "spaces_demo": "The Space",
    "reporting": "Cards",
    "fuzz": "Fuzzers",
}
MOST_LOSSES = 5  # that the page shows of one row


@dataclass
class Row:
    """Contains what became of one kind of trial.

    Attributes:
        tried: What was tried.
        survives: What counts as survived.
        survived: The number of trials that survived.
        lost: What came of the others.
    """

    tried: str
    survives: str
    survived: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def n_tried(self) -> int:
        """The number of trials."""
        return self.survived + len(self.lost)


def read_results(path: Path) -> tuple[dict[str, list[Row]], float]:
    """Read the counts of each test, added up where several tests try the same.

    Returns:
        The rows by heading, and the time that the tests took together in s.

    Raises:
        SystemExit: The run was interrupted, so that the page would pass over what was not tried, or it tried nothing.
    """
    rows: dict[str, dict[tuple[str, str], Row]] = {heading: {} for heading in HEADINGS.values()}
    try:
        suites = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise SystemExit(f"expected the results of pytest in {path}, got: {error}") from error
    for case in suites.iter("testcase"):
        if case.get("classname") is None:
            raise SystemExit(f"expected the results of a whole run in {path}, got those of one that was interrupted")
        folder = case.get("classname").split(".")[1]
        table = rows.setdefault(HEADINGS.get(folder, folder.replace("_", " ").capitalize()), {})
        counts = [
            json.loads(entry.get("value")) for entry in case.iter("property") if entry.get("name") == "reliability"
        ]
        failures = [
            f"{case.get('name')}: {entry.get('message')}" for tag in ("failure", "error") for entry in case.iter(tag)
        ]
        if not counts and failures:  # it ended before it counted
            counts = [[case.get("name"), "the test ends", 0, []]]
        for tried, survives, survived, lost in counts:
            row = table.setdefault((tried, survives), Row(tried, survives))
            row.survived += survived
            row.lost += lost or failures
    if not any(rows.values()):
        raise SystemExit(f"expected the results of tests of reliability in {path}, got none")
    return {heading: list(table.values()) for heading, table in rows.items() if table}, sum(
        float(suite.get("time", 0)) for suite in suites.iter("testsuite")
    )


def page(rows: dict[str, list[Row]], seconds: float) -> str:
    """Write the page: what was tried, what survived, and what was lost."""
    machine = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores"
    shown = {"rows": rows, "minutes": seconds / 60, "machine": machine, "versions": versions(), "most": MOST_LOSSES}
    return render("reliability.md.jinja", **shown)


def write_page(arguments: list[str] | None = None) -> None:
    """Read the results, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="The results of pytest as JUnit XML.")
    parser.add_argument("page", type=Path, help="The page to write.")
    given = parser.parse_args(arguments)
    atomic_write(given.page, page(*read_results(given.results)))


if __name__ == "__main__":
    write_page()
