"""The validation of the quality report: real excerpts, degraded step by step, with every figure at every step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from musemo_hf.data.deam.excerpts import excerpt_log_mel, excerpt_start, file_duration
from musemo_hf.data.deam.layout import find_deam
from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.distances.kernel import kernel_distance
from musemo_hf.evaluation.score.composite import quality_score
from musemo_hf.evaluation.score.moments import SetMoments, clip_row, mel_statistics
from musemo_hf.evaluation.score.reducer import SKILL_SPACE, ClipReducer
from musemo_hf.evaluation.score.reference_scale import SurrogateClips, draw_surrogates
from musemo_hf.evaluation.score.report import Evidence, quality_report
from musemo_hf.evaluation.spaces.embedders import get_embedder, standardise
from musemo_hf.evaluation.spaces.modulation import clamp_decibels
from musemo_hf.evaluation.spaces.novelty import novelty_distance
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.evaluation.surrogates.samplers import SURROGATES, autoregressive, sample_surrogate
from musemo_hf.evaluation.surrogates.transforms import TRANSFORMS, transform_clips
from musemo_hf.evaluation.threads import over_clips

from .attacks import HYBRIDS, NOISE_ATTACKS, STRIPPED, Attacks, attack_clips
from .degradations import DEGRADATIONS, Songs
from .gradient_attack import noise_by_gradient

N_FRAMES, THREADS = 431, 2
V3, NOVELTY = get_embedder(SKILL_SPACE), get_embedder("novelty-v1")
REDUCER = ClipReducer()  # for `predictions` and its columns alone: statistics are fitted to chosen clips
GRADIENT_CLIPS, GRADIENT_STEPS = 100, 150  # a minute of one processor
SIZES = (50, 100, 200, 400, 800, 1600)
WITHIN_CLIPS = "band-ar1 of the lag within clips, not clamped"
SKILL_RESAMPLES = 40
SCORES = (
    "quality_score",
    "published_score",
    "modulation_distance",
    "kid",
    "precision",
    "recall",
    "density",
    "coverage",
)


def load_excerpts(data_dir: str | Path, n_songs: int | None = None) -> np.ndarray:
    """Load ten seconds of every song of DEAM, float32 dB `(n, 128, 431)`, in the order of their ids.

    Args:
        data_dir: The folder of DEAM, in either layout.
        n_songs: The largest number of songs, evenly spaced; None for all.
    """
    paths = sorted(find_deam(data_dir).audio_files(), key=lambda path: (len(path.stem), path.stem))
    if n_songs is not None and n_songs < len(paths):
        paths = [paths[index] for index in np.linspace(0, len(paths) - 1, n_songs).astype(int)]

    def load(path: Path) -> np.ndarray:
        return excerpt_log_mel(path, excerpt_start(file_duration(path), 10.0, 30.0, True), N_FRAMES)

    with ThreadPoolExecutor(THREADS) as pool:
        return np.stack(list(pool.map(load, paths)))


@dataclass(frozen=True)
class Judge:
    """Reads every figure of a candidate from the quality report against a fixed reference.

    Attributes:
        reference: The rows of real clips, from `ClipReducer.predictions`.
        held_out: The rows of other real clips, whose skill is 1; they also set the threshold of the authenticity.
        surrogates: The surrogates drawn from statistics of the reference.
    """

    reference: np.ndarray
    held_out: np.ndarray
    surrogates: dict[str, SurrogateClips]

    def evidence(self, candidate: np.ndarray) -> Evidence:
        """Prepare the report on a candidate with rows `(N, columns)`."""
        return Evidence(
            self.reference,
            candidate,
            REDUCER,
            training=REDUCER.features(self.reference),
            held_out=REDUCER.features(self.held_out),
            ladder=False,
            surrogates=self.surrogates,
            other_real=self.held_out,
            skill_resamples=SKILL_RESAMPLES,
        )

    def figures(self, candidate: np.ndarray) -> dict[str, float]:
        """Compute all figures of a candidate; KID, neighbours and authenticity are in modulation-v1."""
        evidence = self.evidence(candidate)
        answer = quality_report(evidence)
        return {
            **{name: answer[name] for name in (*SCORES, "skill", "kid_se", "authenticity")},
            "skill_v1": answer["protocol_skill"],
            "low": evidence.skills["skill"].low,
            "high": evidence.skills["skill"].high,
            **dict.fromkeys(V3.feature_groups, float("nan")),
            **answer["aspect_skills"],
        }


def fit(clips: np.ndarray) -> ReferenceStatistics:
    """Compute the statistics of reference clips."""
    statistics = ReferenceStatistics.empty(clips.shape[1], clips.shape[2])
    statistics.update(clips)
    return statistics


def validate(clips: np.ndarray, n_clips: int = 300, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Make all measurements of the page.

    The songs are divided in four by their index: reference, held-out, candidate, others (to mix in); a set consists of
    `n_clips` of a quarter, evenly spaced.

    Args:
        clips: The real excerpts `(n, 128, 431)` in dB.
        n_clips: The number of clips of a set.
        say: A function that is called with a line when each part is done.

    Returns:
        The results by part, numbers only.
    """
    started = time.monotonic()

    def done(part: str) -> None:
        say(f"{time.monotonic() - started:6.0f} s  {part}")

    clips = clamp_decibels(clips)
    real = REDUCER.predictions(clips)
    quarters = [evenly_spaced(np.arange(first, len(clips), 4), n_clips) for first in range(4)]
    reference, held_out, candidate, others = quarters
    statistics = fit(clips[reference])
    done("real songs")
    judge = Judge(real[reference], real[held_out], draw_surrogates(statistics, len(reference), seed=1))
    done("surrogates")
    results: dict[str, Any] = {
        "n_songs": len(clips),
        "n_clips": len(reference),
        "ladder": _reference_scale(judge, clips, real, statistics, quarters),
    }
    done("reference scale")
    results["attacks"] = _attacks(judge, clips, statistics, candidate, others)
    done("attacks")
    results["gradient"] = gradient_attack(judge, clips, statistics, candidate, clips[reference])
    done("attack by gradient")
    results["degradations"] = _degradations(judge, clips, real, quarters)
    done("degradations")
    results["sizes"] = _sizes(clips, real)
    done("sizes")
    results["published_table"] = published_table(clips, real)
    done("published table")
    results["seconds"] = time.monotonic() - started
    return results


def draw(name: str, statistics: ReferenceStatistics, n_clips: int, seed: int) -> np.ndarray:
    """Draw clips of a surrogate and reduce them to rows."""
    batches = sample_surrogate(name, statistics, n_clips, seed)
    return np.concatenate([REDUCER.predictions(batch) for batch in batches])


def _reference_scale(
    judge: Judge, clips: np.ndarray, real: np.ndarray, statistics: ReferenceStatistics, quarters: Sequence[np.ndarray]
) -> dict[str, dict[str, float]]:
    """Compute every figure of other songs, of music taken apart, and of every surrogate, drawn again."""
    reference, _, candidate, others = quarters
    steps = {"other songs": real[candidate], "other songs again": real[others], "copies": real[reference]}
    for name in TRANSFORMS:
        if name != "copies":
            steps[name] = REDUCER.predictions(transform_clips(name, clips[candidate], seed=2))
    for name in SURROGATES:
        steps[name] = draw(name, statistics, len(candidate), seed=2)
    return {name: judge.figures(rows) for name, rows in steps.items()}


def _attacks(
    judge: Judge, clips: np.ndarray, statistics: ReferenceStatistics, candidate: np.ndarray, others: np.ndarray
) -> dict[str, dict[str, float]]:
    makers = Attacks(statistics)
    return {
        name: judge.figures(REDUCER.predictions(attack_clips(name, makers, clips[candidate], clips[others])))
        for name in (*NOISE_ATTACKS, *STRIPPED, *HYBRIDS)
    }


def gradient_attack(
    judge: Judge, clips: np.ndarray, statistics: ReferenceStatistics, candidate: np.ndarray, reference: np.ndarray
) -> dict[str, dict[str, float]]:
    """Measure the clips of a search that knows modulation-v3, there and in spaces that it does not know."""
    rows = evenly_spaced(candidate, GRADIENT_CLIPS)
    start = np.concatenate(list(sample_surrogate("joint-gaussian", statistics, len(rows), seed=7)))
    sets = {
        "other songs": clips[rows],
        "joint-gaussian, where it begins": start,
        "noise by gradient": noise_by_gradient(start, REDUCER.features(judge.reference, SKILL_SPACE), GRADIENT_STEPS),
    }
    form, results = NOVELTY.embed(reference), {}
    for name, made in sets.items():
        reduced = REDUCER.predictions(made)
        levels = standardise(*(mel_statistics(REDUCER.moments(side)) for side in (judge.reference, reduced)))
        unseen = {
            "kid_mel": kernel_distance(levels[0], levels[1]).kid,
            "novelty": novelty_distance(form, NOVELTY.embed(made)),
        }
        results[name] = {"n": len(made), **judge.figures(reduced), **unseen}
    return results


def _degradations(
    judge: Judge, clips: np.ndarray, real: np.ndarray, quarters: Sequence[np.ndarray]
) -> dict[str, dict[str, Any]]:
    reference, _, candidate, others = quarters
    songs = Songs(clips[candidate], clips[others], clips[reference])
    results = {}
    for order, fault in enumerate(DEGRADATIONS):
        steps = []
        for level in fault.levels:
            worse = fault.apply(songs, level, np.random.default_rng((3, order)))
            steps.append({"level": level, **judge.figures(REDUCER.predictions(worse))})
        results[fault.name] = {"unit": fault.unit, "steps": steps}
    return results


def _sizes(clips: np.ndarray, real: np.ndarray) -> list[dict[str, Any]]:
    """Compare other songs, and the two best noises, with as many real clips, at growing N."""
    halves = np.arange(0, len(clips), 2), np.arange(1, len(clips), 2)
    statistics = fit(clips[halves[0]])
    largest = min(SIZES[-1], len(clips))
    drawn = {name: draw(name, statistics, largest, seed=4) for name in ("joint-gaussian", "impulse-noise")}
    results = []
    for size in SIZES:
        if size <= len(halves[1]):
            first, second = (real[evenly_spaced(half, size)] for half in halves)
            results.append({"n": size, "set": "other songs", **_scores(first, second)})
        if size <= largest:
            base = evenly_spaced(real, size)
            results += [{"n": size, "set": name, **_scores(base, rows[:size])} for name, rows in drawn.items()]
    return results


def _scores(reference: np.ndarray, candidate: np.ndarray) -> dict[str, float]:
    answer = quality_report(Evidence(reference, candidate, REDUCER, ladder=False))
    return {name: answer[name] for name in (*SCORES, "frechet_score")}


def published_table(clips: np.ndarray, real: np.ndarray, n_clips: int = 600) -> dict[str, tuple[float, ...]]:
    """Compute the five parts and the total of PROTOCOL, section 1: `n_clips` songs against as many candidates."""
    reference = evenly_spaced(np.arange(0, len(clips), 2), n_clips)
    other = evenly_spaced(np.arange(1, len(clips), 2), n_clips)
    statistics, moments = fit(clips[reference]), REDUCER.moments(real)
    sets = {"other songs": moments[other], "copies": moments[reference]}
    for name in ("blur", "time-shuffle", "flip"):
        sets[name] = np.stack(over_clips(clip_row, transform_clips(name, clips[other], seed=5)))
    for name, drawn in draw_surrogates(statistics, len(other), seed=5).items():
        sets |= {f"{name}, not clamped": drawn.unclamped, name: drawn.rows}
    sets[WITHIN_CLIPS] = np.stack([clip_row(clip, clamp=False) for clip in _slower_ar1(statistics, len(other))])
    base = SetMoments.of(moments[reference])
    return {name: _parts(base, SetMoments.of(rows)) for name, rows in sets.items()}


def _slower_ar1(statistics: ReferenceStatistics, n_clips: int) -> Iterator[np.ndarray]:
    """Draw band-ar1 with the lag within clips, as the protocol does not say which lag its AR(1) had."""
    mean, deviation, _ = statistics.band_moments()
    for index in range(n_clips):
        noise = np.random.default_rng((6, index)).standard_normal((len(mean), N_FRAMES), dtype=np.float32)
        yield mean[:, None] + deviation[:, None] * autoregressive(noise, statistics.within_lag())


def _parts(reference: SetMoments, candidate: SetMoments) -> tuple[float, ...]:
    score = quality_score(reference, candidate)
    parts = (score.frechet_score, score.moment_score, score.smoothness_score, score.frequency_score, score.range_score)
    return (*parts, score.quality_score)
