"""The page of `make reliability`, from a real run of tests that count what survives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reliability import write_page

TESTS = Path(__file__).parents[1]
EXAMPLE = """
import pytest
from hypothesis import given, settings, strategies as st

@pytest.mark.reliability("numbers", "even")
@pytest.mark.parametrize("start", [0, 2])
def test_numbers(tally, long_form, start):
    for number in range(start, 12 if long_form else 1):
        tally(number % 2 == 0, f"{number} | odd")
    tally.assert_nothing_lost()

@pytest.mark.slow
@pytest.mark.reliability("letters", "small")
def test_letters(tally):
    assert tally(True)
    tally.assert_nothing_lost()

@pytest.mark.reliability("nothing", "something")
def test_nothing(tally):
    tally.assert_nothing_lost()

def test_other():
    raise AssertionError("no test of reliability")
"""
FUZZER = '''"""Integers.

More words.
"""
from hypothesis import given, settings, strategies as st

@settings(max_examples=30)
@given(st.integers())
def test_integers(number):
    assert number == int(str(number))

@given(st.integers())
def test_small_integers(number):
    assert number < 40
'''


@pytest.fixture
def results(tmp_path):
    """`results(*options)`: run the example with the repository's conftest, and return the file of results."""
    for name, text in (("test_example.py", EXAMPLE), ("fuzz/test_integers.py", FUZZER)):
        path = tmp_path / "tests" / "things" / name if "/" not in name else tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "tests" / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow: x\n    reliability(a, b): x\n    gpu: x\n")

    def run(*options: str) -> Path:
        command = [sys.executable, "-m", "pytest", "tests", "-q", "--import-mode=importlib", "--junitxml=results.xml"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        subprocess.run([*command, *options], cwd=tmp_path, env=environment, capture_output=True, check=False)
        return tmp_path / "results.xml"

    return run


def test_the_page_tells_what_was_tried_survived_and_lost(results, tmp_path):
    write_page([str(results("--reliability", "-n", "2")), str(tmp_path / "page.md")])
    page = (tmp_path / "page.md").read_text()
    assert "## Things\n" in page
    assert "| numbers | even | 22 | 11 | 11 |" in page
    assert "| letters | small | 1 | 1 | 0 |" in page
    assert "| nothing | something | 1 | 0 | 1 |" in page
    assert "- numbers: 11 of 22, such as\n  - 1 \\| odd\n  - 3 \\| odd\n" in page
    assert "expected at least one trial, counted none" in page
    assert "test\\_other" not in page
    assert "no test of reliability" not in page
    row = next(line for line in page.splitlines() if line.startswith("| Fuzzing. Integers |"))
    survives, tried, survived, lost = (cell.strip() for cell in row.split("|")[2:6])
    assert survives == "an answer or one typed error"
    assert int(lost) == 1
    assert int(survived) >= 30
    assert int(tried) == int(survived) + 1


def test_an_interrupted_run_gives_no_page(tmp_path):
    """As pytest-xdist writes the tests that were under way."""
    (tmp_path / "results.xml").write_text(
        '<testsuites><testsuite time="1"><testcase time="0.016" /></testsuite></testsuites>'
    )
    with pytest.raises(SystemExit, match="one that was interrupted"):
        write_page([str(tmp_path / "results.xml"), str(tmp_path / "page.md")])
    assert not (tmp_path / "page.md").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "expected the results of pytest in .*No such file"),
        ("<testsuites>", "expected the results of pytest in .*no element"),
        (
            '<testsuites><testsuite time="1" /></testsuites>',
            "expected the results of tests of reliability in .*, got none",
        ),
    ],
)
def test_results_that_are_none_give_no_page(tmp_path, text, message):
    if text is not None:
        (tmp_path / "results.xml").write_text(text)
    with pytest.raises(SystemExit, match=message):
        write_page([str(tmp_path / "results.xml"), str(tmp_path / "page.md")])
    assert not (tmp_path / "page.md").exists()


def test_without_the_option_all_tests_run_in_their_short_form(results, tmp_path):
    write_page([str(results()), str(tmp_path / "page.md")])
    page = (tmp_path / "page.md").read_text()
    assert "| numbers | even | 1 | 1 | 0 |" not in page  # the second of its two tests counted nothing
    assert "| numbers | even | 2 | 1 | 1 |" in page
    assert "no test of reliability" in page
    assert "letters" not in page
