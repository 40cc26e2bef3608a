"""The quality report: the published score, and the figures that show how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musemo_hf.evaluation.arrays import check_units
from musemo_hf.evaluation.distances.frechet import extrapolated_frechet, features_frechet
from musemo_hf.evaluation.distances.kernel import kernel_distance
from musemo_hf.evaluation.distances.neighbours import authenticity, neighbour_shares
from musemo_hf.evaluation.spaces.embedders import standardise
from musemo_hf.evaluation.statistics.bootstrap import check_confidence, check_draws, group_indices
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.evaluation.surrogates.samplers import NOISES, PROTOCOL_NOISES
from musemo_hf.evaluation.surrogates.skill import skill
from musemo_hf.evaluation.surrogates.skill_scale import Skill
from musemo_hf.evaluation.threads import single_blas

from .composite import quality_score
from .intervals import frechet_interval, mean_interval, normal_interval, score_intervals
from .moments import FRAMES, LAG, SetMoments, mel_statistics
from .published import published_score
from .reducer import DISTANCE_SPACE, NORMALISED, SKILL_SPACE, ClipReducer
from .reference_scale import (
    MAX_NOISES,
    SurrogateClips,
    draw_surrogates,
    mixed_order,
    scale_groups,
    scale_scores,
    scale_steps,
    shuffled_halves,
)

Array = NDArray[np.float64]
NAN = float("nan")
SIDES = ("reference", "held_out")  # of a skill; both consist of real clips


@dataclass
class Evidence:
    """Both sides of a report, reduced to rows, and its options.

    Attributes:
        references: The rows of real clips from `ClipReducer.references`.
        predictions: The rows of generated clips from `ClipReducer.predictions`.
        reducer: The reducer of both, which knows the columns of the rows and the embedder.
        statistics: The statistics of the references that surrogates are drawn from, or None.
        training: The embedder's features of the generator's training clips, or None.
        held_out: The embedder's features of real clips that the generator was not trained on, or None.
        confidence: The confidence level of the intervals; None for no intervals.
        n_resamples: The number of bootstrap draws.
        seed: The seed of surrogates and bootstrap.
        ladder: Whether to draw surrogates and score the reference scale, which takes most of the time of a report.
        surrogates: Surrogates drawn before, with which the skill is computed even without `ladder`; None to draw them.
        other_real: Rows of other real clips whose skill is 1; None: halves of the references are compared.
        reference_groups: The artist of each reference: halves share none, and the bootstrap draws artists; None: clips.
        skill_resamples: The number of bootstrap draws of each skill.
        answer: The answer of `quality_report`.
        notes: By the name of a figure, the reason why it is NaN or None, or says less than it seems to.
        skills: The results behind `skill` and `protocol_skill`.
    """

    references: Array
    predictions: Array
    reducer: ClipReducer
    statistics: ReferenceStatistics | None = None
    training: Array | None = None
    held_out: Array | None = None
    confidence: float | None = None
    n_resamples: int = 400
    seed: int = 0
    ladder: bool = True
    surrogates: dict[str, SurrogateClips] | None = None
    other_real: Array | None = None
    reference_groups: Sequence | NDArray | None = None
    skill_resamples: int = 100
    answer: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    skills: dict[str, Skill] = field(default_factory=dict)

    @property
    def real(self) -> Array:
        """The moments of the references."""
        return self.reducer.moments(self.references)

    @property
    def fake(self) -> Array:
        """The moments of the predictions."""
        return self.reducer.moments(self.predictions)

    def interval(self, name: str, ends: list[float]) -> None:
        """Put an interval beside its figure."""
        self.answer[f"{name}_interval"] = ends

    def skill_in(self, space: str, noises: Sequence[str]) -> Skill:
        """Compute the skill of the predictions in a space, relative to some of the surrogates drawn before."""
        real = self.reducer.features(self.references, space)
        groups, artists = {}, self.reference_groups
        if self.other_real is None:
            halves = shuffled_halves(self.real, artists)
            first, second = (real[half] for half in halves)
            if artists is not None:
                groups = {side: np.asarray(artists)[half] for side, half in zip(SIDES, halves, strict=True)}
        else:
            first, second = real, self.reducer.features(self.other_real, space)
            groups = {} if artists is None else {SIDES[0]: np.asarray(artists)}
        drawn = self.surrogates or {}
        return skill(
            first,
            second,
            self.reducer.features(self.predictions, space),
            {noise: drawn[noise].features[space] for noise in noises},
            feature_groups=self.reducer.spaces[space].feature_groups,
            n_resamples=self.skill_resamples,
            confidence=self.confidence or 0.95,
            seed=self.seed,
            groups=groups,
        )


@single_blas
def quality_report(evidence: Evidence) -> dict[str, Any]:
    """Compute the answer of `spectrogram_quality`.

    Args:
        evidence: The rows of both sides and the options.

    Returns:
        The published score and its parts (`quality_score`, `tier`, `targets`, ...), `published_score`, and beside it
        `skill` (modulation-v3, all noises) with its weakest feature group `skill_aspect`, `aspect_skills` of all
        groups, `best_noise` and `skill_n`; `protocol_skill` (modulation-v1, five noises), `modulation_distance`, `kid`,
        `kid_se`, `precision`, `recall`, `density`, `coverage`, `authenticity`, `frechet_distance_extrapolated` with its
        `_n`, `ladder` (the score of each step of the reference scale by name), `n_references`, `n_predictions`,
        `embedder`, and `notes` with a reason for each figure that is NaN or None. With a confidence there is
        `<name>_interval` = [low, high]; `ladder_interval` has one for each step.

    Raises:
        ValueError: A side has no clips, the units differ, the references are constant, or the confidence, the number of
            draws or the seed is out of range.
    """
    _check(evidence)
    # resampling draws by position, which must not depend on the order in which clips or processes came
    order = mixed_order(evidence.real)
    evidence.references = evidence.references[order]
    if evidence.reference_groups is not None:
        evidence.reference_groups = group_indices(len(order), evidence.reference_groups)[0][order]
    evidence.predictions = evidence.predictions[mixed_order(evidence.fake)]
    evidence.answer = {
        "n_references": len(evidence.references),
        "n_predictions": len(evidence.predictions),
        "embedder": evidence.reducer.embedder.name,
    }
    _score(evidence)
    evidence.surrogates = _surrogates(evidence)
    _reference_scale(evidence, evidence.surrogates)
    _modulation(evidence)
    _embedded(evidence)
    evidence.answer["notes"] = evidence.notes
    return evidence.answer


def _check(evidence: Evidence) -> None:
    check_draws(evidence.n_resamples, evidence.seed)
    if evidence.confidence is not None:
        check_confidence(evidence.confidence)
    for side, rows in (("references", evidence.references), ("predictions", evidence.predictions)):
        if len(rows) == 0:
            raise ValueError(f"expected at least one clip of {side}, got none")
    if evidence.reference_groups is not None:
        try:
            n_artists = group_indices(len(evidence.references), evidence.reference_groups)[1]
        except ValueError as error:
            raise ValueError(f"reference_groups: {error}") from error
        if n_artists < 2:
            raise ValueError(f"expected at least 2 artists in reference_groups, got {n_artists}")
    check_units(evidence.references[:, 0] == NORMALISED, evidence.predictions[:, 0] == NORMALISED)
    frames = [np.unique(rows[:, FRAMES]).astype(int).tolist() for rows in (evidence.real, evidence.fake)]
    if frames[0] != frames[1]:
        evidence.notes["n_frames"] = (
            f"references have {frames[0]} frames and predictions {frames[1]}: deviations, range and modulation depend "
            f"on the length of a clip"
        )


def _score(evidence: Evidence) -> None:
    real, fake = SetMoments.of(evidence.real), SetMoments.of(evidence.fake)
    score = quality_score(real, fake)
    evidence.answer |= {"quality_score": score.quality_score, "tier": score.tier, **score.figures()}
    evidence.answer |= {"targets": score.targets, "published_score": published_score(real, fake)}
    _extrapolate(evidence, real.deviation)
    _score_notes(evidence)
    if evidence.confidence is not None:
        ends = score_intervals(evidence.real, evidence.fake, *_bootstrap(evidence))
        for name, pair in ends.items():
            evidence.interval(name, pair)


def _bootstrap(evidence: Evidence) -> tuple[Any, ...]:
    """Return the options of an interval: confidence, number of draws, seed, and the artists of the references."""
    return evidence.confidence, evidence.n_resamples, evidence.seed, evidence.reference_groups


def _score_notes(evidence: Evidence) -> None:
    fewest, dimensions = min(len(evidence.real), len(evidence.fake)), mel_statistics(evidence.real[:1]).shape[1]
    if fewest < 2:
        evidence.notes["frechet_distance"] = "a covariance needs two clips on each side"
    elif fewest <= dimensions:
        evidence.notes["frechet_distance"] = (
            f"{fewest} clips in {dimensions} dimensions: the distance is far above that of larger sets"
        )
    for side, rows in (("references", evidence.real), ("predictions", evidence.fake)):
        constant = int(np.isnan(rows[:, LAG]).sum())
        if constant:
            evidence.notes[f"constant_{side}"] = (
                f"{constant} of {len(rows)} clips are constant: their smoothness is undefined, and left out of the mean"
            )


def _extrapolate(evidence: Evidence, scale: float) -> None:
    name = "frechet_distance_extrapolated"
    evidence.answer |= {name: NAN, f"{name}_n": 0}
    if min(len(evidence.real), len(evidence.fake)) < 10:
        evidence.notes[name] = "an extrapolation needs 10 clips on each side"
        return
    real, fake = (mel_statistics(rows) / scale for rows in (evidence.real, evidence.fake))
    extrapolated = extrapolated_frechet(real, fake, seed=evidence.seed)
    evidence.answer |= {name: extrapolated.distance, f"{name}_n": extrapolated.n_clips}


def _surrogates(evidence: Evidence) -> dict[str, SurrogateClips]:
    if evidence.surrogates is not None:
        return evidence.surrogates
    if not evidence.ladder:
        evidence.notes["surrogates"] = "not asked for"
        return {}
    if evidence.statistics is None or evidence.statistics.n_clips < 2:
        evidence.notes.setdefault("surrogates", evidence.reducer.unfitted or "surrogates need two references")
        return {}
    n_clips = min(MAX_NOISES, max(len(evidence.references) // 2, 2))
    evidence.answer["n_surrogates"] = n_clips
    return draw_surrogates(evidence.statistics, n_clips, evidence.seed)


def _reference_scale(evidence: Evidence, surrogates: dict[str, SurrogateClips]) -> None:
    if len(evidence.references) < 2 or not evidence.ladder:
        evidence.answer["ladder"] = {}
        evidence.notes["ladder"] = "a reference scale needs two references" if evidence.ladder else "not asked for"
        return
    artists = evidence.reference_groups
    steps = scale_steps(evidence.real, evidence.reducer.blurred(evidence.references), surrogates, artists)
    evidence.answer["ladder"] = scale_scores(steps)
    if evidence.confidence is not None:
        few = max(evidence.n_resamples // 4, 2)  # there are a dozen steps, and their intervals matter less
        drawn = {} if artists is None else scale_groups(evidence.real, np.asarray(artists), steps)
        evidence.answer["ladder_interval"] = {
            name: score_intervals(
                *steps[name], evidence.confidence, few, evidence.seed, *drawn.get(name, (None, None))
            )["quality_score"]
            for name in evidence.answer["ladder"]
        }


def _modulation(evidence: Evidence) -> None:
    """Compute the distance in modulation-v1, the skill in modulation-v3, and the protocol's skill in modulation-v1."""
    real, fake = (
        evidence.reducer.features(rows, DISTANCE_SPACE) for rows in (evidence.references, evidence.predictions)
    )
    evidence.answer |= {"skill": NAN, "protocol_skill": NAN, "modulation_distance": NAN}
    reason = None
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        reason = f"{DISTANCE_SPACE} needs clips of 256 frames"
    elif min(len(real), len(fake)) < 2:
        reason = "a covariance needs two clips on each side"
    if reason is not None:
        evidence.notes |= dict.fromkeys(("modulation_distance", "skill", "protocol_skill"), reason)
        return
    base, other = standardise(real, fake)
    evidence.answer["modulation_distance"] = features_frechet(base, other)
    if evidence.confidence is not None:
        ends = frechet_interval(base, other, *_bootstrap(evidence))
        evidence.interval("modulation_distance", ends)
    if not evidence.surrogates:
        reason = "no surrogates to compare with: " + evidence.notes.get("surrogates", "")
        evidence.notes |= dict.fromkeys(("skill", "protocol_skill"), reason)
        return
    _skill(evidence, "protocol_skill", DISTANCE_SPACE, PROTOCOL_NOISES)
    result = _skill(evidence, "skill", SKILL_SPACE, NOISES)
    evidence.answer |= {
        "skill_space": SKILL_SPACE,
        "skill_n": result.n_clips,
        "skill_aspect": result.group or None,
        "aspect_skills": result.group_skills,
        "best_noise": result.best_noise or None,
        "noise_skills": result.noise_skills,
    }


def _skill(evidence: Evidence, name: str, space: str, noises: Sequence[str]) -> Skill:
    result = evidence.skills[name] = evidence.skill_in(space, noises)
    evidence.answer[name] = result.skill
    if result.reason is not None:
        evidence.notes[name] = result.reason
    if evidence.confidence is not None:
        evidence.interval(name, [result.low, result.high])
    return result


def _embedded(evidence: Evidence) -> None:
    """Compute KID, neighbours and authenticity in the embedder's space, standardised by the references."""
    real, fake = evidence.reducer.features(evidence.references), evidence.reducer.features(evidence.predictions)
    evidence.answer |= dict.fromkeys(("kid", "kid_se", "precision", "recall", "density", "coverage"), NAN)
    evidence.answer["authenticity"] = None
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        reason = f"{evidence.reducer.embedder.name} is undefined for some clips"
        evidence.notes |= dict.fromkeys(("kid", "precision", "authenticity"), reason)
        return
    base, other = standardise(real, fake)
    _kernel(evidence, base, other)
    _neighbours(evidence, base, other)
    _authentic(evidence, real, other)


def _kernel(evidence: Evidence, real: Array, fake: Array) -> None:
    result = kernel_distance(real, fake)
    evidence.answer |= {"kid": result.kid, "kid_se": result.kid_se}
    if np.isnan(result.kid_se):
        evidence.notes["kid"] = "KID needs two clips on each side, its standard error three"
    if evidence.confidence is not None:
        evidence.interval("kid", normal_interval(result.kid, result.kid_se, evidence.confidence))


def _neighbours(evidence: Evidence, real: Array, fake: Array) -> None:
    shares = neighbour_shares(real, fake)
    evidence.answer |= {name: float(values.mean()) for name, values in shares.items()}
    if np.isnan(evidence.answer["precision"]):
        evidence.notes["precision"] = "precision, recall, density and coverage need 6 clips on each side"
    elif evidence.confidence is not None:
        # The balls stay as they are: their radii would shrink in a resample, as a clip drawn twice is its own
        # neighbour. The intervals are therefore slightly too narrow.
        of_real = ("recall", "coverage")  # a value for each real clip, where the others have one for each generated
        for name, values in shares.items():
            groups = evidence.reference_groups if name in of_real else None
            ends = mean_interval(values, evidence.confidence, evidence.n_resamples, evidence.seed, groups)
            evidence.interval(name, ends)


def _authentic(evidence: Evidence, real: Array, fake: Array) -> None:
    if evidence.training is None or evidence.held_out is None:
        missing = [name for name in ("training", "held_out") if getattr(evidence, name) is None]
        evidence.notes["authenticity"] = f"needs {' and '.join(missing)} clips or their embeddings"
        return
    _, training, held_out = standardise(real, evidence.training, evidence.held_out)
    result = authenticity(fake, training, held_out)
    evidence.answer["authenticity"] = result.share
    if evidence.confidence is not None:
        judged = (result.nearest >= result.threshold).astype(float)
        ends = mean_interval(judged, evidence.confidence, evidence.n_resamples, evidence.seed)
        evidence.interval("authenticity", ends)
