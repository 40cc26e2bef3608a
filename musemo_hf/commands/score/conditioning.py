"""Agreement of the requested emotion with the predictions of an independent recogniser."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musemo_hf.evaluation.arrays import to_decibels
from musemo_hf.evaluation.statistics.concordance import concordance_report

if TYPE_CHECKING:
    from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression


class Conditioning:
    """Predicts the emotion of each clip as it is read, and compares it with the requested one.

    Args:
        requested: The requested (valence, arousal) by name of clip, see `read_emotions`.
        model: A recogniser that took no part in training the generator; otherwise the answer means nothing.
        extractor: The feature extractor of the recogniser.
    """

    def __init__(
        self,
        requested: dict[str, tuple[float, float]],
        model: "MusemoViTForEmotionRegression",
        extractor: "MusemoFeatureExtractor",
    ) -> None:
        self.requested, self.model, self.extractor = requested, model, extractor
        self.pairs: list[tuple[tuple[float, float], list[float]]] = []
        self.unknown: list[str] = []

    def add(self, names: Sequence[str], clips: Sequence[np.ndarray]) -> None:
        """Read clips `(128, n_frames)`, dB or normalised, and count those without a requested emotion.

        Raises:
            ValueError: A clip is shorter than the recogniser's input; of a longer one the beginning is used.
        """
        import torch

        known = [(self._request(name), clip) for name, clip in zip(names, clips, strict=True)]
        self.unknown += [name for name, (request, _) in zip(names, known, strict=True) if request is None]
        requested = [(request, self._fit(clip)) for request, clip in known if request is not None]
        if not requested:
            return
        with torch.no_grad():
            spectrogram = self.extractor.from_decibels(np.stack([clip for _, clip in requested])[:, None])
            emotion = self.model(spectrogram=spectrogram.to(self.model.device, self.model.dtype)).emotion
        predicted = emotion.float().clamp(-1, 1).cpu().tolist()
        self.pairs += [(request, row) for (request, _), row in zip(requested, predicted, strict=True)]

    def compute(self, confidence: float | None) -> dict[str, Any]:
        """Return the `concordance_report` of predicted and requested emotions, with the number `without_request`.

        Raises:
            ValueError: No clip has a requested emotion.
        """
        if not self.pairs:
            raise ValueError(
                f"expected the files of --emotions among the clips, got {len(self.unknown)} others, such as "
                f"{', '.join(self.unknown[:3])}"
            )
        requested, predicted = zip(*self.pairs, strict=True)
        report = concordance_report(np.array(predicted), np.array(requested), confidence=confidence)
        return report | {"without_request": len(self.unknown)}

    def _request(self, name: str) -> tuple[float, float] | None:
        for key in (name, Path(name).name, Path(name).stem):
            if key in self.requested:
                return self.requested[key]
        return None

    def _fit(self, clip: np.ndarray) -> np.ndarray:
        n_frames = self.model.config.n_frames
        if clip.shape[-1] < n_frames:
            raise ValueError(f"expected clips of {n_frames} frames for this recogniser, got {clip.shape[-1]}")
        return to_decibels(clip)[:, :n_frames].astype(np.float32)
