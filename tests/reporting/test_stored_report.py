"""A report of any shape: what is usable is used, the rest is left out and named."""

import json
import math
import re
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musemo_hf.hub.cards import render_card
from musemo_hf.reporting.stored_report import (
    ReportError,
    held_out_fold,
    read_report,
    read_report_beside,
    usable_report,
)

FACTS = {
    "repo_id": "ana/thing",
    "n_parameters": 1,
    "n_frames": 431,
    "seconds": 10.0,
    "sampling_rate": 22050,
    "architecture": "flow",
    "num_inference_steps": 12,
    "guidance_scale": 1.75,
    "discriminator": False,
    "sdk_version": "6.31.0",
}
NAMES = [
    "quality",
    "quality_score",
    "skill",
    "skill_interval",
    "arms",
    "real",
    "synthetic",
    "ccc",
    "mean",
    "value",
    "interval",
    "corpus",
    "name",
    "n_songs",
    "heard",
    "procedural",
    "validation",
    "budget",
    "seeds",
    "findings",
    "uncertainty",
    "n",
    "n_groups",
    "n_calibration",
    "held_out",
    "own",
    "coverage",
    "width",
    "nll_gain",
    "ladder",
    "white",
    "notes",
    "tier",
    "n_predictions",
    "n_references",
    "embedder",
    "0.95",
]
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from([10**400, "<b>|"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)
REPORTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8) | VALUES


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "as JSON"),
        (b"", "as JSON"),
        (b"\xff\xfe", "as JSON"),
        (b"[1]", "expected an object"),
        (b"null", "expected an object"),
        (b"[" * 100_000, "as JSON"),
        (b'{"a": ' * 60 + b"1" + b"}" * 60, "at most 40 levels"),
        (b'{"a": ' + b"9" * 5000 + b"}", "as JSON"),
        (b" " * 20_000_001, "at most 20,000,000 bytes"),
    ],
)
def test_a_file_that_holds_no_report_is_one_typed_error(tmp_path, content, said):
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(ReportError, match=said):
        read_report(path)
    with pytest.warns(UserWarning, match="no report is shown"):
        assert read_report_beside(tmp_path) is None


def test_where_there_is_no_report_nothing_is_said(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_report_beside(tmp_path) is None
    (tmp_path / "report.json").mkdir()
    with pytest.raises(ReportError, match="directory"):
        read_report(tmp_path / "report.json")


def test_usable_parts_stay_and_wrong_ones_are_named():
    report = {
        "quality_score": 61.5,
        "skill": {"value": math.nan, "interval": [0, math.inf]},
        "quality": {"coverage": 0.25, "coverage_interval": [0.125, 0.5], "ladder": {"white": 20, "real": "high"}},
        "corpus": {"name": "songs\nof  mine", "n_songs": -1, "procedural": "yes"},
        "seeds": 3,
        "findings": ["one", {"two": 2}, 3],
    }
    with pytest.warns(UserWarning, match="it is left out") as said:
        usable = usable_report(report)
    assert usable["quality_score"] == {"value": 61.5, "interval": None}
    assert usable["skill"] == {"value": None, "interval": None}
    assert usable["quality"]["coverage_interval"] == (0.125, 0.5)
    assert usable["quality"]["ladder"] == {"white": 20.0}
    assert usable["corpus"] == {"name": "songs of mine", "n_songs": None, "procedural": True, "heard": None}
    assert (usable["seeds"], usable["findings"], usable["arms"]) == (["3"], ["one", "3"], None)
    named = {re.search("expected (.+) to be", str(warning.message))[1] for warning in said}
    assert named == {"real", "n_songs", "a list's item"}


@pytest.mark.reliability("a report.json of any shape, shown on four cards", "all cards are written, with valid YAML")
def test_no_report_breaks_a_card(tally, long_form):
    @settings(max_examples=2000 if long_form else 40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(REPORTS)
    def check(report):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for kind in ("generator", "pipeline", "recogniser", "space"):
                card = render_card(kind, report, **FACTS)
                json.dumps(usable_report(report), allow_nan=False)
                tally("<b>" not in card and card.encode() and "\n---\n\n#" in card, f"{kind}: {report!r:.200}")

    check()
    tally.assert_nothing_lost()


def test_the_held_out_fold_is_that_of_the_nearest_report_that_names_one(tmp_path):
    folder = tmp_path / "generator"
    folder.mkdir()
    assert held_out_fold(folder, "DEAM") is None
    (tmp_path / "report.json").write_text('{"held_out_fold": 1, "corpus": {"name": "DEAM"}}')
    assert held_out_fold(folder, "DEAM") == 1
    assert held_out_fold(folder, "Emotify") is None
    (folder / "report.json").write_text('{"corpus": {"name": "DEAM"}, "findings": ["nothing was measured"]}')
    assert held_out_fold(folder, "DEAM") == 1
    (folder / "report.json").write_text('{"held_out_fold": 0, "corpus": {"name": "DEAM"}}')
    assert held_out_fold(folder, "DEAM") == 0


@pytest.mark.parametrize("report", ["no JSON", '{"held_out_fold": "one", "corpus": {"name": "DEAM"}}'])
def test_a_report_without_a_usable_fold_is_refused(tmp_path, report):
    (tmp_path / "report.json").write_text(report)
    with pytest.raises(ReportError, match="expected"):
        held_out_fold(tmp_path, "DEAM")
