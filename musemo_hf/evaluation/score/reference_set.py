"""Held-out real songs as the measure of generated clips: every figure of a study's table but conditioning."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from musemo_hf.evaluation.distances.neighbours import authenticity, prdc
from musemo_hf.evaluation.score.intervals import mean_interval
from musemo_hf.evaluation.score.moments import mel_statistics
from musemo_hf.evaluation.score.reducer import DISTANCE_SPACE, SKILL_SPACE, ClipReducer
from musemo_hf.evaluation.score.reference_scale import MAX_NOISES, draw_surrogates, hashed_order, shuffled_halves
from musemo_hf.evaluation.score.report import Evidence, quality_report
from musemo_hf.evaluation.spaces.embedders import standardise
from musemo_hf.evaluation.surrogates.samplers import NOISES, PROTOCOL_NOISES
from musemo_hf.evaluation.surrogates.skill import Skill, skill

Array = NDArray[np.float64]
SIX_NOISES = (*PROTOCOL_NOISES, "modulation-gaussian")  # the protocol's five and the attack on its own space
FIGURES = ("quality_score", "published_score", "kid", "precision", "recall", "density", "coverage")
BATCH = 64


class Yardstick:
    """Reduces the real songs and draws the surrogates once, and then measures set after set.

    Quality score, KID, coverage and skill are those of `spectrogram_quality` on the same clips, with the same seed.

    Args:
        held_out: real clips that no generator was trained on, dB `(N, 128, n_frames)` of at least 256 frames.
        training: the clips that all were trained on, dB `(T, 128, n_frames)`.
        confidence: of all intervals.
        n_resamples: bootstrap draws over clips.
        seed: of surrogates and bootstrap.

    Raises:
        ValueError: under 12 held-out clips, or clips that are too short for surrogates.
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
        self.confidence, self.n_resamples, self.seed = confidence, n_resamples, seed
        self.reducer = ClipReducer()
        rows = np.concatenate([self.reducer.references(part) for part in _batches(held_out)])
        if self.reducer.statistics is None:
            raise ValueError(f"expected clips to measure by: {self.reducer.unfitted}")
        self.rows = rows[hashed_order(self.reducer.moments(rows))]
        self.first, self.second = shuffled_halves(self.reducer.moments(self.rows))
        self.training = np.concatenate([self.reducer.embed(part, "training") for part in _batches(training)])
        self.noises = draw_surrogates(self.reducer.statistics, min(MAX_NOISES, len(rows) // 2), seed)

    def measure(self, clips: NDArray) -> dict[str, Any]:
        """Figures of generated clips.

        Args:
            clips: dB `(M, 128, n_frames)`.

        Returns:
            `quality_score`, `tier`, `skill` (modulation-v3, all noises), `skill_six` (modulation-v1, the protocol's
            five noises and the sixth), `kid`, `kid_se`, `precision`, `recall`, `density`, `coverage`,
            `coverage_of_real` (share of what other real songs cover, at equal numbers), `authenticity` and
            `authenticity_of_real` (by the same threshold, that of one half of the held-out songs; the other half's
            own), `diversity` (of real songs'), `n_clips`, `n_real`, `notes`; `<name>_interval` where there is one.
        """
        rows = np.concatenate([self.reducer.predictions(part) for part in _batches(clips)])
        rows = rows[hashed_order(self.reducer.moments(rows))]
        options: dict[str, Any] = {"confidence": self.confidence, "n_resamples": self.n_resamples, "seed": self.seed}
        answer = quality_report(Evidence(self.rows, rows, self.reducer, ladder=False, **options))
        figures: dict[str, Any] = {"tier": answer["tier"], "kid_se": answer["kid_se"], "notes": {}}
        for name in FIGURES:
            figures[name] = answer[name]
            figures[f"{name}_interval"] = answer.get(f"{name}_interval")
        self._put_skill(figures, "skill", SKILL_SPACE, NOISES, rows)
        self._put_skill(figures, "skill_six", DISTANCE_SPACE, SIX_NOISES, rows)
        self._put_neighbours(figures, self.reducer.features(rows))
        figures["diversity"] = self._diversity(rows) / self._diversity(self.rows)
        return figures | {"n_clips": len(rows), "n_real": len(self.rows)}

    def _put_skill(self, figures: dict[str, Any], name: str, space: str, noises: tuple[str, ...], rows: Array) -> None:
        real = self.reducer.features(self.rows, space)
        result: Skill = skill(
            real[self.first],
            real[self.second],
            self.reducer.features(rows, space),
            {noise: self.noises[noise].features[space] for noise in noises},
            aspects=self.reducer.spaces[space].aspects,
            confidence=self.confidence,
            seed=self.seed,
        )
        figures |= {name: result.skill, f"{name}_interval": [result.low, result.high], f"{name}_n": result.n_clips}
        figures |= {f"{name}_aspect": result.aspect, f"{name}_noise": result.best_noise}
        if result.reason is not None:
            figures["notes"][name] = result.reason

    def _put_neighbours(self, figures: dict[str, Any], fake: Array) -> None:
        """Coverage and authenticity beside what one half of the held-out songs gets, judged by the other half."""
        real = self.reducer.features(self.rows)
        half, other = real[self.first], real[self.second]
        scaled, others, made = standardise(half, other, _thin(fake, len(other)))
        covered, possible = (prdc(scaled, rows)["coverage"] for rows in (made, others))
        figures["coverage_of_real"] = covered / possible if possible else float("nan")
        _, training, half, other, fake = standardise(real, self.training, half, other, fake)
        judged, own = (authenticity(rows, training, half) for rows in (fake, other))
        figures |= {"authenticity": judged.share, "authenticity_of_real": own.share}
        new = (judged.nearest >= judged.threshold).astype(float)
        figures["authenticity_interval"] = mean_interval(new, self.confidence, self.n_resamples, self.seed)

    def _diversity(self, rows: Array) -> float:
        """Mean pairwise distance in mel-statistics-v1, standardised by the held-out songs."""
        _, features = standardise(*(mel_statistics(self.reducer.moments(side)) for side in (self.rows, rows)))
        squares = np.square(features).sum(axis=1)
        distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * features @ features.T, 0))
        return float(distances[np.triu_indices(len(features), 1)].mean())


def _batches(clips: NDArray) -> list[NDArray]:
    return [clips[start : start + BATCH] for start in range(0, len(clips), BATCH)]


def _thin(rows: Array, n_rows: int) -> Array:
    """`n_rows` of the rows, evenly spaced; all where there are fewer."""
    return rows[np.linspace(0, len(rows) - 1, min(n_rows, len(rows))).round().astype(int)]
