"""Quality of generated log-mel spectrograms against real ones, as an `evaluate` module."""

from typing import Any

import datasets
import evaluate
import numpy as np

from musemo_hf.evaluation.quality import prediction_rows, quality_report, reference_rows

_DESCRIPTION = "The published five-part quality score of generated spectrograms, bounded and on one scale.\n"
_INPUTS = """
Args:
    predictions: generated clips, (B, 1, 128, n_frames), (B, 128, n_frames) or a list; dB, or all on [-1, 1].
    references: real clips likewise; their number may differ, and either side may be added alone.
"""


class SpectrogramQuality(evaluate.Metric):
    """`quality_report` behind `add`, `add_batch` and `compute`; each clip becomes a short row as it arrives."""

    def _info(self) -> evaluate.MetricInfo:
        rows = datasets.Sequence(datasets.Value("float64"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": rows, "references": rows}),
        )

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Add clips of either side or both, in any numbers."""
        fake = [] if predictions is None else list(prediction_rows(predictions))
        real = [] if references is None else list(reference_rows(references))
        longer = max(len(fake), len(real))
        super().add_batch(
            predictions=fake + [[]] * (longer - len(fake)), references=real + [[]] * (longer - len(real)), **kwargs
        )

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Add one clip of either side or both, (128, n_frames) or (1, 128, n_frames)."""
        self.add_batch(
            predictions=None if prediction is None else [prediction],
            references=None if reference is None else [reference],
            **kwargs,
        )

    def _compute(self, *, predictions: Any, references: Any, **options: Any) -> dict[str, Any]:
        return quality_report(_dense(references), _dense(predictions), **options)


def _dense(rows: Any) -> np.ndarray:
    """Rows `(N, columns)` without the padding."""
    kept = [row for row in rows if len(row)]
    return np.asarray(kept, dtype=np.float64).reshape(len(kept), -1)
