"""The answer of an ablation: a sentence, a verdict and a table, which open every report and the terminal's output."""

from dataclasses import dataclass
from typing import Any

from musemo_hf.reporting.numbers import with_interval
from musemo_hf.reporting.provenance import caveats

from .names import arm_name

QUESTION = "Does synthetic music help a recogniser on real songs?"
COLUMNS = ("arm", "CCC", "change from real songs")


@dataclass(frozen=True)
class Answer:
    """What a reader needs first.

    Attributes:
        sentence: The change of the concordance correlation coefficient (CCC) by synthetic songs.
        verdict: "Yes", "No", "Not shown" or "Not measured", with the reason in one sentence.
        rows: The display name of each arm, its mean CCC, and its change with its interval.
        note: What the table's figures are: counts, seeds and intervals.
        caveats: What the corpus cannot show, and what is not finished.
    """

    sentence: str
    verdict: str
    rows: list[tuple[str, str, str]]
    note: str
    caveats: list[str]

    def text(self) -> str:
        """Return the answer for a terminal."""
        width = max(len(name) for name, _, _ in self.rows) + 2
        lines = [QUESTION, "", self.sentence, f"Verdict: {self.verdict}", ""]
        lines += [f"{name:<{width}}{ccc:>7}  {change}".rstrip() for name, ccc, change in (COLUMNS, *self.rows)]
        return "\n".join([*lines, "", self.note, *self.caveats])


def answer(report: dict[str, Any]) -> Answer:
    """Read the answer from the result of `build_report`."""
    unfinished = [f"Not finished: {len(report['missing'])} tasks."] if report["missing"] else []
    return Answer(
        _sentence(report), _verdict(report), _rows(report), _note(report), [*caveats(report["corpus"]), *unfinished]
    )


def _sentence(report: dict[str, Any]) -> str:
    arms, n_songs = report["arms"], report["corpus"]["n_tested"]
    real = arms["real"]["ccc"]["mean"]
    if "synthetic" not in arms:
        value = with_interval(real["value"], real["interval"], 3)
        return f"Trained on real songs alone, the recogniser reaches a mean CCC of {value} on {n_songs} real songs."
    synthetic, delta = arms["synthetic"]["ccc"]["mean"], arms["synthetic"]["delta_real"]
    return (
        "Adding synthetic songs to the training songs changes the mean concordance correlation coefficient (CCC) of "
        f"predicted valence and arousal on {n_songs} real songs by {_change(delta)}, from {real['value']:.3f} to "
        f"{synthetic['value']:.3f}."
    )


def _verdict(report: dict[str, Any]) -> str:
    verdict, delta = report["validation"]["verdict"], report["validation"]["delta"]
    if delta is None:
        return "Not measured. No recogniser trained with synthetic songs is finished."
    other = delta.get("alternative", "real")
    which = "" if other == "real" else f"the best arm without a generator, {arm_name(other)}, "
    against = f"compared with {which or 'real songs alone '}the change is {_change(delta)}"
    if verdict == "PASS":
        return f"Yes. Synthetic songs help: {against}, and its 95 % interval lies above zero."
    if verdict == "FAIL":
        return f"No. Synthetic songs do harm: {against}, and its 95 % interval lies below zero."
    return (
        f"Not shown. {against[0].upper()}{against[1:]}, and its 95 % interval includes zero; this run would have "
        f"detected a change of {delta['smallest_effect']:.3f} with a probability of 0.8."
    )


def _rows(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for arm, figures in report["arms"].items():
        delta = figures.get("delta_real")
        rows.append((arm_name(arm), f"{figures['ccc']['mean']['value']:.3f}", _change(delta) if delta else ""))
    return rows


def _note(report: dict[str, Any]) -> str:
    corpus, seeds = report["corpus"], report["seeds"]
    return (
        f"Mean of valence and arousal over {corpus['n_tested']} tested songs by {corpus['n_artists']} artists, "
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}, budget {report['budget']}; in brackets 95 % intervals from "
        f"{report['configuration']['ablation']['n_resamples']:,} bootstrap draws over artists."
    )


def _change(delta: dict[str, Any]) -> str:
    return with_interval(delta["value"], delta["interval"], 3, "+")
