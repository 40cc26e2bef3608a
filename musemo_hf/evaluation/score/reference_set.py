"""A set of real songs, reduced once, against which many sets of generated clips are measured."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.distances.neighbours import authenticity, prdc
from musemo_hf.evaluation.spaces.embedders import standardise
from musemo_hf.evaluation.surrogates.samplers import PROTOCOL_NOISES
from musemo_hf.evaluation.surrogates.skill_scale import Skill

from .moments import mel_statistics
from .reducer import DISTANCE_SPACE, ClipReducer
from .reference_scale import MAX_NOISES, draw_surrogates, mixed_order, shuffled_halves
from .report import Evidence, quality_report

Array = NDArray[np.float64]
SIX_NOISES = (*PROTOCOL_NOISES, "modulation-gaussian")  # the protocol's five and the attack on its own space
FIGURES = ("quality_score", "published_score", "kid", "precision", "recall", "density", "coverage", "authenticity")
BATCH = 64


class ReferenceSet:
    """Reduces the real songs and draws the surrogates once, and then measures set after set.

    The figures are those of `quality_report` for the same clips and seed.

    Args:
        held_out: The real clips that no generator was trained on `(N, 128, n_frames)`, in dB, of at least 256 frames.
        training: The clips that all generators were trained on `(T, 128, n_frames)`, in dB.
        confidence: The confidence level of all intervals.
        n_resamples: The number of bootstrap draws over clips.
        seed: The seed of surrogates and bootstrap.

    Raises:
        ValueError: There are under 12 held-out clips, or they are too short for surrogates.
    """

    def __init__(
        self,
        held_out: NDArray,
        training: NDArray,
        confidence: float = 0.95,
        n_resamples: int = 400,
        seed: int = 0,
    ) -> None:
        if len(held_out) < 12:
            raise ValueError(f"expected at least 12 held-out songs to measure by, got {len(held_out)}")
        self.options: dict[str, Any] = {"confidence": confidence, "n_resamples": n_resamples, "seed": seed}
        self.reducer = ClipReducer()
        rows = np.concatenate([self.reducer.references(part) for part in _batches(held_out)])
        if self.reducer.statistics is None:
            raise ValueError(f"expected clips to measure by: {self.reducer.unfitted}")
        self.rows = rows[mixed_order(self.reducer.moments(rows))]
        first, second = shuffled_halves(self.reducer.moments(self.rows))
        real = self.reducer.features(self.rows)
        self.half, self.other_half = real[first], real[second]
        self.training = np.concatenate([self.reducer.embed(part, "training") for part in _batches(training)])
        self.surrogates = draw_surrogates(self.reducer.statistics, min(MAX_NOISES, len(rows) // 2), seed)

    def measure(self, clips: NDArray) -> dict[str, Any]:
        """Measure generated clips.

        Args:
            clips: The generated clips `(M, 128, n_frames)` in dB.

        Returns:
            `quality_score`, `tier`, `skill` (modulation-v3, all noises), `skill_six` (modulation-v1, the protocol's
            five noises and the sixth), `kid`, `kid_se`, `precision`, `recall`, `density`, `coverage`,
            `coverage_of_real` (relative to the coverage by other real songs, at equal numbers), `authenticity` and
            `authenticity_of_real` (by the threshold from one half of the held-out songs; the latter is that of the
            other half), `diversity` (relative to real songs), `n_clips`, `n_real`, `notes`; `<name>_interval` where
            there is one.
        """
        rows = np.concatenate([self.reducer.predictions(part) for part in _batches(clips)])
        rows = rows[mixed_order(self.reducer.moments(rows))]
        evidence = Evidence(
            self.rows,
            rows,
            self.reducer,
            training=self.training,
            held_out=self.half,
            surrogates=self.surrogates,
            ladder=False,
            **self.options,
        )
        answer = quality_report(evidence)
        figures: dict[str, Any] = {"tier": answer["tier"], "kid_se": answer["kid_se"], "notes": {}}
        for name in FIGURES:
            figures |= {name: answer[name], f"{name}_interval": answer.get(f"{name}_interval")}
        _put_skill(figures, "skill", evidence.skills["skill"])
        _put_skill(figures, "skill_six", evidence.skill_in(DISTANCE_SPACE, SIX_NOISES))
        figures |= self._beside_real(self.reducer.features(rows))
        figures["diversity"] = self._diversity(rows) / self._diversity(self.rows)
        return figures | {"n_clips": len(rows), "n_real": len(self.rows)}

    def _beside_real(self, fake: Array) -> dict[str, float]:
        """Measure coverage relative to that by the other half of the songs, and the authenticity of that half."""
        made = evenly_spaced(fake, len(self.other_half))
        scaled, others, made = standardise(self.half, self.other_half, made)
        covered, possible = (prdc(scaled, rows)["coverage"] for rows in (made, others))
        real = self.reducer.features(self.rows)
        _, training, half, other = standardise(real, self.training, self.half, self.other_half)
        return {
            "coverage_of_real": covered / possible if possible else float("nan"),
            "authenticity_of_real": authenticity(other, training, half).share,
        }

    def _diversity(self, rows: Array) -> float:
        """Compute the mean pairwise distance in mel-statistics-v1, standardised by the held-out songs."""
        _, features = standardise(*(mel_statistics(self.reducer.moments(side)) for side in (self.rows, rows)))
        squares = np.square(features).sum(axis=1)
        distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * features @ features.T, 0))
        return float(distances[np.triu_indices(len(features), 1)].mean())


def _put_skill(figures: dict[str, Any], name: str, result: Skill) -> None:
    figures |= {name: result.skill, f"{name}_interval": [result.low, result.high], f"{name}_n": result.n_clips}
    figures |= {f"{name}_aspect": result.group, f"{name}_noise": result.best_noise}
    if result.reason is not None:
        figures["notes"][name] = result.reason


def _batches(clips: NDArray) -> list[NDArray]:
    return [clips[start : start + BATCH] for start in range(0, len(clips), BATCH)]
