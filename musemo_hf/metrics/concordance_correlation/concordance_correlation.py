"""Concordance correlation of predicted and annotated emotion, as an `evaluate` module."""

from typing import Any

import datasets
import evaluate
import numpy as np

from musemo_hf.evaluation.statistics.concordance import concordance_report

_CITATION = """\
@article{lin1989concordance,
  title = {A Concordance Correlation Coefficient to Evaluate Reproducibility},
  author = {Lin, Lawrence I-Kuei},
  journal = {Biometrics},
  volume = {45},
  number = {1},
  pages = {255--268},
  year = {1989},
  doi = {10.2307/2532051}
}
"""

_DESCRIPTION = """\
Lin's concordance correlation coefficient (CCC) with population moments, per dimension (valence, arousal) and averaged,
with its parts: Pearson's r, bias, scale ratio, RMSE, R2, and the CCC that remains once the spread of the
predictions is matched to that of the references. Bootstrap intervals over items, or over groups such as artists.
"""

_INPUTS = """
Args:
    predictions: The predictions, (N,) numbers, or (N, 2) = (valence, arousal).
    references: The annotations, in the same shape.
    groups: One label for each item, such as the artist; the bootstrap then draws whole groups.
    confidence: The confidence level of the intervals, such as 0.95; no intervals by default.
    n_resamples: The number of bootstrap draws, 10,000 by default.
    seed: The seed of the draws, 0 by default.

Returns:
    A float each for (N,), a list of one float for each dimension for (N, 2): `ccc`, `pearson_r`, `bias`, `scale_ratio`,
    `rmse`, `r2`, `variance_matched_ccc`; `ccc_mean`; `n`; `notes`, reasons for what is undefined; and with
    `confidence` an `<name>_interval` = [low, high] for each.
"""


class ConcordanceCorrelation(evaluate.Metric):
    """Computes `concordance_report` through `add`, `add_batch` and `compute`."""

    def _info(self) -> evaluate.MetricInfo:
        value = datasets.Value("float64")
        pairs, numbers = ({"predictions": kind, "references": kind} for kind in (datasets.Sequence(value), value))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=[datasets.Features(pairs), datasets.Features(numbers)],
            reference_urls=["https://doi.org/10.2307/2532051"],
        )

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Add predictions and references, `(B,)` or `(B, 2)`: lists, numpy, torch, or a column of a data set."""
        predictions, references = _numbers(predictions, "predictions"), _numbers(references, "references")
        super().add_batch(predictions=predictions, references=references, **kwargs)

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Add one prediction and its reference, a number or a pair."""
        prediction, reference = _numbers(prediction, "a prediction"), _numbers(reference, "a reference")
        super().add(prediction=prediction, reference=reference, **kwargs)

    def _compute(self, *, predictions: Any, references: Any, **options: Any) -> dict[str, Any]:
        return concordance_report(predictions, references, **options)


def _numbers(values: Any, side: str) -> Any:
    """Convert to a list of float64, or of lists of them."""
    if values is None:
        raise ValueError(f"expected {side} with every call, as agreement is measured in pairs, got none")
    if hasattr(values, "detach"):  # torch, without importing it
        values = values.detach().cpu()
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size == 0:
        raise ValueError(f"expected at least one number in {side}, got none")
    return numbers.tolist()
