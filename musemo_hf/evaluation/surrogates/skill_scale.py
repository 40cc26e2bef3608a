"""The scale of a skill: 0 for the best noise, 1 for other real music, whatever the distance that is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MIN_STANDARD_ERRORS = 3.0  # of D_n - D_r; below, noise and music are not resolved
N_RANKED = 3  # noises of a group that are resampled: the best ones
NAN = float("nan")


@dataclass(frozen=True)
class Skill:
    """The skill of a candidate and its parts; distances are those of the feature group that decides.

    Attributes:
        skill: The skill (D_n - D_f) / (D_n - D_r) of the weakest group: 0 for the best noise, 1 for other real music;
            NaN with a reason.
        reason: The reason why the skill is NaN; None where it is a number.
        group: The name of the weakest feature group, "all" in a space without groups.
        distance: D_f, the distance of the candidate from the reference.
        distance_real: D_r, the distance of other real clips.
        distance_noise: D_n, the distance of the best noise.
        best_noise: The name of the best noise.
        standard_error: The standard error of D_n - D_r, by the bootstrap over clips or groups of clips.
        low: The lower end of the bootstrap interval of the skill.
        high: The upper end.
        n_clips: The number of clips N of the smallest side, to which the others are thinned for a Frechet distance.
        group_skills: The skill in each feature group.
        noise_skills: The skill of each noise, in its own weakest group; none is above 0.
    """

    skill: float
    reason: str | None
    group: str = ""
    distance: float = NAN
    distance_real: float = NAN
    distance_noise: float = NAN
    best_noise: str = ""
    standard_error: float = NAN
    low: float = NAN
    high: float = NAN
    n_clips: int = 0
    group_skills: Mapping[str, float] = field(default_factory=dict)
    noise_skills: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasuredGroup:
    """The distances of all sides from the reference in one feature group, and what the bootstrap made of them.

    Attributes:
        name: The name of the feature group.
        distances: The distance of each side: "held_out", "candidate", and every noise by its name.
        best: The name of the noise with the smallest distance.
        rooms: D_n - D_r in every bootstrap draw `(n_resamples,)`.
        skills: The skill in every bootstrap draw `(n_resamples,)`.
    """

    name: str
    distances: dict[str, float]
    best: str
    rooms: np.ndarray
    skills: np.ndarray

    @property
    def room(self) -> float:
        """D_n - D_r, the distance between the zero and the one of the scale."""
        return self.distances[self.best] - self.distances["held_out"]

    @property
    def error(self) -> float:
        """The standard error of D_n - D_r."""
        return float(self.rooms.std(ddof=1))

    @property
    def resolved(self) -> bool:
        """Whether D_n - D_r is positive and over 3 standard errors."""
        return self.room > max(MIN_STANDARD_ERRORS * self.error, 0)

    def skill_of(self, side: str) -> float:
        """Return the skill of one side."""
        return (self.distances[self.best] - self.distances[side]) / self.room


def best_noises(distances: Mapping[str, float], noises: Sequence[str]) -> list[str]:
    """Return the names of the noises that are resampled: the nearest ones, the best first."""
    return sorted(noises, key=lambda noise: distances[noise])[:N_RANKED]


def measured_group(
    name: str, distances: dict[str, float], draws: Sequence[Mapping[str, float]], ranked: Sequence[str]
) -> MeasuredGroup:
    """Collect the distances of a feature group; the best noise is chosen again in each draw.

    Args:
        name: The name of the feature group.
        distances: The distance of every side from the reference.
        draws: The distances of the held-out clips, the candidate and the ranked noises in every bootstrap draw.
        ranked: The noises of `best_noises`.
    """
    best = np.array([min(draw[noise] for noise in ranked) for draw in draws])
    rooms = best - [draw["held_out"] for draw in draws]
    with np.errstate(divide="ignore", invalid="ignore"):
        skills = (best - [draw["candidate"] for draw in draws]) / rooms
    return MeasuredGroup(name, distances, ranked[0], rooms, skills)


def skill_of_groups(measured: Sequence[MeasuredGroup], n_clips: int, confidence: float) -> Skill:
    """Return the skill of the weakest group; NaN with a reason where a group does not resolve noise from music.

    Args:
        measured: The feature groups, at least one.
        n_clips: The number of clips that the reason names.
        confidence: The confidence level of the interval.
    """
    unresolved = [group for group in measured if not group.resolved]
    weakest = unresolved[0] if unresolved else min(measured, key=lambda group: group.skill_of("candidate"))
    parts: dict[str, Any] = {
        "group": weakest.name,
        "distance": weakest.distances["candidate"],
        "distance_real": weakest.distances["held_out"],
        "distance_noise": weakest.distances[weakest.best],
        "best_noise": weakest.best,
        "standard_error": weakest.error,
        "n_clips": n_clips,
    }
    if unresolved:
        reason = (
            f"D_n - D_r is {weakest.room:.2f} in feature group {weakest.name!r}, under {MIN_STANDARD_ERRORS:g} "
            f"standard errors of {weakest.error:.2f}: {n_clips} clips do not resolve it"
        )
        return Skill(NAN, reason, **parts)
    # a clip is drawn in all groups at once, so that the smallest skill of a draw is the skill of that draw
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.min([group.skills for group in measured], axis=0), [tail, 1 - tail])
    noises = [side for side in weakest.distances if side not in ("held_out", "candidate")]
    return Skill(
        weakest.skill_of("candidate"),
        None,
        **parts,
        low=float(low),
        high=float(high),
        group_skills={group.name: group.skill_of("candidate") for group in measured},
        noise_skills={noise: min(group.skill_of(noise) for group in measured) for noise in noises},
    )


def check_sides(sides: Mapping[str, np.ndarray], noises: Mapping[str, np.ndarray]) -> None:
    """Check the features of all sides.

    Raises:
        ValueError: There are no noises, the shapes do not fit, or there is NaN or infinity.
    """
    if not noises:
        raise ValueError("expected at least one noise to form a skill, got none")
    width = sides["reference"].shape[-1]
    for name, features in sides.items():
        if features.ndim != 2 or features.shape[1] != width:
            raise ValueError(f"expected features (N, {width}) of {name}, got {features.shape}")
        if not np.isfinite(features).all():
            raise ValueError(f"expected finite features of {name}, got NaN or infinity")
