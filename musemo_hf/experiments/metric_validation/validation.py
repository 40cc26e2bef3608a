"""Does the quality report work? Real excerpts, made worse step by step, and every figure read at every step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from musemo_hf.data.deam.excerpts import excerpt_log_mel, excerpt_start, file_duration
from musemo_hf.data.deam.layout import find_deam
from musemo_hf.evaluation.distances.frechet import frechet_distance, mean_and_covariance
from musemo_hf.evaluation.distances.kernel import kernel_distance
from musemo_hf.evaluation.distances.neighbours import authenticity, prdc
from musemo_hf.evaluation.score.composite import quality_score
from musemo_hf.evaluation.score.moments import SetMoments, clip_row, mel_statistics
from musemo_hf.evaluation.score.published import published_score
from musemo_hf.evaluation.spaces.embedders import get_embedder, standardise
from musemo_hf.evaluation.spaces.modulation import clamp_decibels
from musemo_hf.evaluation.spaces.novelty import novelty_distance
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.evaluation.surrogates.samplers import (
    NOISES,
    PROTOCOL_NOISES,
    SURROGATES,
    autoregressive,
    sample_surrogate,
)
from musemo_hf.evaluation.surrogates.skill import Skill, skill
from musemo_hf.evaluation.surrogates.transforms import TRANSFORMS, transform_clips

from .attacks import HYBRIDS, NOISE_ATTACKS, STRIPPED, Attacks, attack_clips
from .degradations import DEGRADATIONS, Songs
from .gradient_attack import noise_by_gradient

N_FRAMES, THREADS = 431, 2
V1, V2, NOVELTY = map(get_embedder, ("modulation-v1", "modulation-v3", "novelty-v1"))
GRADIENT_CLIPS, GRADIENT_STEPS = 100, 150  # a minute of one processor
SIZES = (50, 100, 200, 400, 800, 1600)
WITHIN_CLIPS = "band-ar1 of the lag within clips, not clamped"
SKILL_SIZES = (20, 30, 40, 60, 80, 100, 150, 200, 300)


@dataclass(frozen=True)
class Features:
    """A set of clips, reduced: rows of the score's moments, and both modulation spaces; N rows each."""

    moments: np.ndarray
    v1: np.ndarray
    v2: np.ndarray

    def __getitem__(self, rows: Any) -> Features:
        return Features(self.moments[rows], self.v1[rows], self.v2[rows])

    def __len__(self) -> int:
        return len(self.moments)


def reduce_clips(clips: Iterable[np.ndarray], clamp: bool = True) -> Features:
    """Reduce clips `(128, n_frames)` in dB; `clamp` concerns the moments, the spaces always clamp."""

    def reduced(clip: np.ndarray) -> tuple[np.ndarray, ...]:
        return clip_row(clip, clamp), V1.embed(clip[None])[0], V2.embed(clip[None])[0]

    with ThreadPoolExecutor(THREADS) as pool:
        rows = list(pool.map(reduced, clips))
    return Features(*(np.stack(part) for part in zip(*rows, strict=True)))


def load_excerpts(data_dir: str | Path, n_songs: int | None = None) -> np.ndarray:
    """Ten seconds of every song of DEAM, float32 dB `(n, 128, 431)`, in the order of their ids.

    Args:
        data_dir: DEAM, in either layout.
        n_songs: at most so many, evenly spaced.
    """
    paths = sorted(find_deam(data_dir).audio_files(), key=lambda path: (len(path.stem), path.stem))
    if n_songs is not None and n_songs < len(paths):
        paths = [paths[index] for index in np.linspace(0, len(paths) - 1, n_songs).astype(int)]

    def load(path: Path) -> np.ndarray:
        return excerpt_log_mel(path, excerpt_start(file_duration(path), 10.0, 30.0, True), N_FRAMES)

    with ThreadPoolExecutor(THREADS) as pool:
        return np.stack(list(pool.map(load, paths)))


class Judge:
    """Reads every figure of a candidate against a fixed reference.

    Args:
        reference: real clips.
        held_out: other real clips: what the skill calls 1, and what authenticity is measured by.
        noises: of each of `NOISES`, drawn from statistics of the reference.
    """

    def __init__(self, reference: Features, held_out: Features, noises: dict[str, Features]) -> None:
        self.reference, self.held_out, self.noises = reference, held_out, noises
        self._moments = SetMoments.of(reference.moments)

    def figures(self, candidate: Features) -> dict[str, float]:
        """All figures of a candidate set; KID, neighbours and authenticity are in modulation-v1, the default space."""
        moments = SetMoments.of(candidate.moments)
        real, fake, other = standardise(self.reference.v1, candidate.v1, self.held_out.v1)
        kid = kernel_distance(real, fake)
        judged = self.skill(candidate)
        return {
            "quality_score": quality_score(self._moments, moments).quality_score,
            "published_score": published_score(self._moments, moments),
            "skill": judged.skill,
            "low": judged.low,
            "high": judged.high,
            **dict.fromkeys(V2.aspects, float("nan")),
            **judged.aspect_skills,
            "skill_v1": self.skill_v1(candidate).skill,
            "modulation_distance": frechet_distance(*mean_and_covariance(real), *mean_and_covariance(fake)),
            "kid": kid.kid,
            "kid_se": kid.kid_se,
            **prdc(real, fake),
            "authenticity": authenticity(fake, real, other).share,
        }

    def skill(self, candidate: Features) -> Skill:
        """The default skill, in modulation-v3 by its weakest aspect."""
        noises = {name: features.v2 for name, features in self.noises.items()}
        sides = self.reference.v2, self.held_out.v2, candidate.v2
        return skill(*sides, noises, V2.aspects, n_resamples=40)

    def skill_v1(self, candidate: Features) -> Skill:
        """PROTOCOL's first skill: one distance in modulation-v1, PROTOCOL's five noises."""
        noises = {name: self.noises[name].v1 for name in PROTOCOL_NOISES}
        return skill(self.reference.v1, self.held_out.v1, candidate.v1, noises, n_resamples=10)


def draw(name: str, statistics: ReferenceStatistics, n_clips: int, seed: int, clamp: bool = True) -> Features:
    """Clips of a surrogate, reduced as they stream."""
    batches = sample_surrogate(name, statistics, n_clips, N_FRAMES, seed, clamp)
    return reduce_clips((clip for batch in batches for clip in batch), clamp)


def fit(clips: np.ndarray) -> ReferenceStatistics:
    """Statistics of reference clips."""
    statistics = ReferenceStatistics.empty(clips.shape[1], clips.shape[2])
    statistics.update(clips)
    return statistics


def validate(clips: np.ndarray, n_clips: int = 300, say: Callable[[str], None] = print) -> dict[str, Any]:
    """All measurements of the page.

    The songs are dealt in four by their index: reference, held-out, candidate, others (to mix in); a set is the first
    `n_clips` of a quarter, evenly spaced.

    Args:
        clips: real excerpts `(n, 128, 431)`, dB.
        n_clips: of a set.
        say: told of each part as it is done.

    Returns:
        Results by part, numbers only.
    """
    started = time.monotonic()

    def done(part: str) -> None:
        say(f"{time.monotonic() - started:6.0f} s  {part}")

    clips = clamp_decibels(clips)
    real = reduce_clips(clips)
    quarters = [_spread(np.arange(first, len(clips), 4), n_clips) for first in range(4)]
    reference, held_out, candidate, others = quarters
    statistics = fit(clips[reference])
    done("real songs")
    noises = {name: draw(name, statistics, len(reference), seed=1) for name in NOISES}
    judge = Judge(real[reference], real[held_out], noises)
    done("noises")
    results: dict[str, Any] = {
        "n_songs": len(clips),
        "n_clips": len(reference),
        "ladder": _ladder(judge, clips, real, statistics, quarters),
    }
    done("ladder")
    results["attacks"] = _attacks(judge, clips, statistics, candidate, others)
    done("attacks")
    results["gradient"] = gradient_attack(judge, clips, statistics, candidate, clips[reference])
    done("attack by gradient")
    results["degradations"] = _degradations(judge, clips, real, quarters)
    done("degradations")
    results["sizes"] = _sizes(clips, real)
    done("sizes")
    results["smallest_skill_n"] = _smallest_skill(judge, real[candidate])
    results["published_table"] = published_table(clips, real)
    done("published table")
    results["seconds"] = time.monotonic() - started
    return results


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]


def _ladder(
    judge: Judge, clips: np.ndarray, real: Features, statistics: ReferenceStatistics, quarters: Sequence[np.ndarray]
) -> dict[str, dict[str, float]]:
    """Every figure of other songs, of what PROTOCOL takes apart, and of every surrogate drawn anew."""
    reference, _, candidate, others = quarters
    rungs = {"other songs": real[candidate], "other songs again": real[others], "copies": real[reference]}
    for name in TRANSFORMS:
        if name != "copies":
            rungs[name] = reduce_clips(transform_clips(name, clips[candidate], seed=2))
    for name in SURROGATES:
        rungs[name] = draw(name, statistics, len(candidate), seed=2)
    return {name: judge.figures(features) for name, features in rungs.items()}


def _attacks(
    judge: Judge, clips: np.ndarray, statistics: ReferenceStatistics, candidate: np.ndarray, others: np.ndarray
) -> dict[str, dict[str, float]]:
    makers = Attacks(statistics)
    return {
        name: judge.figures(reduce_clips(attack_clips(name, makers, clips[candidate], clips[others])))
        for name in (*NOISE_ATTACKS, *STRIPPED, *HYBRIDS)
    }


def gradient_attack(
    judge: Judge, clips: np.ndarray, statistics: ReferenceStatistics, candidate: np.ndarray, reference: np.ndarray
) -> dict[str, dict[str, float]]:
    """What a search that sees modulation-v3 gets there, and what spaces that it does not see say of its clips."""
    rows = _spread(candidate, GRADIENT_CLIPS)
    start = np.concatenate(list(sample_surrogate("joint-gaussian", statistics, len(rows), N_FRAMES, seed=7)))
    sets = {
        "other songs": clips[rows],
        "joint-gaussian, where it begins": start,
        "noise by gradient": noise_by_gradient(start, judge.reference.v2, GRADIENT_STEPS),
    }
    form, results = NOVELTY.embed(reference), {}
    for name, made in sets.items():
        reduced = reduce_clips(made)
        levels = standardise(mel_statistics(judge.reference.moments), mel_statistics(reduced.moments))
        unseen = {
            "kid_mel": kernel_distance(levels[0], levels[1]).kid,
            "novelty": novelty_distance(form, NOVELTY.embed(made)),
        }
        results[name] = {"n": len(made), **judge.figures(reduced), **unseen}
    return results


def _degradations(
    judge: Judge, clips: np.ndarray, real: Features, quarters: Sequence[np.ndarray]
) -> dict[str, dict[str, Any]]:
    reference, _, candidate, others = quarters
    songs = Songs(clips[candidate], clips[others], clips[reference])
    results = {}
    for order, fault in enumerate(DEGRADATIONS):
        steps = []
        for level in fault.levels:
            worse = fault.apply(songs, level, np.random.default_rng((3, order)))
            steps.append({"level": level, **judge.figures(reduce_clips(worse))})
        results[fault.name] = {"unit": fault.unit, "steps": steps}
    return results


def _sizes(clips: np.ndarray, real: Features) -> list[dict[str, Any]]:
    """Other songs, and the two best noises, against as many real clips, at growing N."""
    halves = np.arange(0, len(clips), 2), np.arange(1, len(clips), 2)
    statistics = fit(clips[halves[0]])
    largest = min(SIZES[-1], len(clips))
    drawn = {name: draw(name, statistics, largest, seed=4) for name in ("joint-gaussian", "impulse-noise")}
    results = []
    for size in SIZES:
        if size <= len(halves[1]):
            first, second = (real[_spread(half, size)] for half in halves)
            results.append({"n": size, "set": "other songs", **_plain_figures(first, second)})
        if size <= largest:
            base = real[_spread(np.arange(len(clips)), size)]
            results += [{"n": size, "set": name, **_plain_figures(base, rows[:size])} for name, rows in drawn.items()]
    return results


def _smallest_skill(judge: Judge, candidate: Features) -> int | None:
    """The fewest clips, of those tried, from which on the skill of other songs is a number."""
    fewest = None
    for size in reversed([size for size in SKILL_SIZES if size <= len(candidate)]):
        if np.isnan(judge.skill(candidate[_spread(np.arange(len(candidate)), size)]).skill):
            break
        fewest = size
    return fewest


def _plain_figures(reference: Features, candidate: Features) -> dict[str, float]:
    moments = SetMoments.of(reference.moments), SetMoments.of(candidate.moments)
    real, fake = standardise(reference.v1, candidate.v1)
    score = quality_score(*moments)
    return {
        "quality_score": score.quality_score,
        "frechet_score": score.frechet_score,
        "published_score": published_score(*moments),
        "modulation_distance": frechet_distance(*mean_and_covariance(real), *mean_and_covariance(fake)),
        "kid": kernel_distance(real, fake).kid,
        **prdc(real, fake),
    }


def published_table(clips: np.ndarray, real: Features, n_clips: int = 600) -> dict[str, tuple[float, ...]]:
    """PROTOCOL, section 1: the five parts and the total, of `n_clips` songs against as many of each candidate."""
    reference = _spread(np.arange(0, len(clips), 2), n_clips)
    other = _spread(np.arange(1, len(clips), 2), n_clips)
    statistics = fit(clips[reference])
    sets = {"other songs": real.moments[other], "copies": real.moments[reference]}
    for name in ("blur", "time-shuffle", "flip"):
        sets[name] = _moments(transform_clips(name, clips[other], seed=5), True)
    for name in SURROGATES:
        for clamp in (False, True):
            drawn = sample_surrogate(name, statistics, len(other), N_FRAMES, 5, clamp)
            sets[name if clamp else f"{name}, not clamped"] = _moments((clip for part in drawn for clip in part), clamp)
    sets[WITHIN_CLIPS] = _moments(_slower_ar1(statistics, len(other)), False)
    base = SetMoments.of(real.moments[reference])
    return {name: _parts(base, SetMoments.of(rows)) for name, rows in sets.items()}


def _slower_ar1(statistics: ReferenceStatistics, n_clips: int) -> Iterator[np.ndarray]:
    """band-ar1 with the lag within clips: the protocol does not say which lag its AR(1) had."""
    mean, deviation, _ = statistics.band_moments()
    for index in range(n_clips):
        noise = np.random.default_rng((6, index)).standard_normal((len(mean), N_FRAMES), dtype=np.float32)
        yield mean[:, None] + deviation[:, None] * autoregressive(noise, statistics.within_lag())


def _moments(clips: Iterable[np.ndarray], clamp: bool) -> np.ndarray:
    with ThreadPoolExecutor(THREADS) as pool:
        return np.stack(list(pool.map(lambda clip: clip_row(clip, clamp), clips)))


def _parts(reference: SetMoments, candidate: SetMoments) -> tuple[float, ...]:
    score = quality_score(reference, candidate)
    parts = (score.frechet_score, score.moment_score, score.smoothness_score, score.frequency_score, score.range_score)
    return (*parts, score.quality_score)
