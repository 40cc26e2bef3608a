"""Concordance correlation of predicted and annotated emotion, as an `evaluate` module."""

from typing import Any

import datasets
import evaluate
import numpy as np

from musemo_hf.evaluation.arrays import as_numbers, check_finite
from musemo_hf.evaluation.statistics.concordance import concordance_report

OPTIONS = ("groups", "confidence", "n_resamples", "seed")
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
    groups: One label for each item, such as the artist; the bootstrap then draws whole groups, of which it needs two.
    confidence: The confidence level of the intervals, such as 0.95; no intervals by default.
    n_resamples: The number of bootstrap draws, 10,000 by default.
    seed: The seed of the draws, 0 by default.

Returns:
    A float each for (N,), a list of one float for each dimension for (N, 2): `ccc`, `pearson_r`, `bias`, `scale_ratio`,
    `rmse`, `r2`, `variance_matched_ccc`; `ccc_mean`; `n`; `notes`, reasons for what is NaN, such as the CCC of
    a constant; and with `confidence` an `<name>_interval` = [low, high] for each.
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
        sides = _numbers(predictions, "predictions"), _numbers(references, "references")
        if sides[0].ndim not in (1, 2):
            raise ValueError(f"expected (B,) or (B, 2) predictions and references, got {sides[0].shape}")
        if len(sides[0]) != len(sides[1]):
            message = "Mismatch in the number of predictions ({}) and references ({})"  # as `evaluate` words it
            raise ValueError(message.format(len(sides[0]), len(sides[1])))
        self._check_width(*(side.shape[1:] for side in sides))
        super().add_batch(predictions=sides[0].tolist(), references=sides[1].tolist(), **kwargs)

    def add(
        self,
        *,
        prediction: Any = None,
        reference: Any = None,
        predictions: Any = None,
        references: Any = None,
        **kwargs: Any,
    ) -> None:
        """Add one prediction and its reference, a number or a pair; `evaluate.combine` calls them by the plural."""
        sides = (
            _numbers(_one(prediction, predictions), "a prediction"),
            _numbers(_one(reference, references), "a reference"),
        )
        if sides[0].ndim > 1:
            raise ValueError(f"expected a number or a pair as a prediction and a reference, got {sides[0].shape}")
        self._check_width(*(side.shape for side in sides))
        super().add(prediction=sides[0].tolist(), reference=sides[1].tolist(), **kwargs)

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """Report on all pairs added by any process and on those given here; None except in process 0."""
        if unknown := sorted(kwargs.keys() - OPTIONS):
            raise ValueError(f"expected options out of {', '.join(OPTIONS)}, got {', '.join(unknown)}")
        if predictions is None and references is None and self.writer is None and self.num_process == 1:
            raise ValueError("expected predictions and references, got none: call add, add_batch, or compute with them")
        return super().compute(predictions=predictions, references=references, **kwargs)

    def _check_width(self, predictions: tuple[int, ...], references: tuple[int, ...]) -> None:
        """Check that both sides have one shape of item, and the one that was added before."""
        if predictions != references:
            raise ValueError(f"expected predictions and references of one shape, got {predictions} and {references}")
        if self.writer is None:
            self._item = predictions
        if predictions != self._item:
            names = [f"{item[0]} numbers" if item else "one number" for item in (self._item, predictions)]
            raise ValueError(f"expected items of {names[0]}, as were added before, got items of {names[1]}")

    def _compute(self, *, predictions: Any, references: Any, **options: Any) -> dict[str, Any]:
        return concordance_report(predictions, references, **options)


def _one(singular: Any, plural: Any) -> Any:
    if singular is not None and plural is not None:
        raise ValueError("expected a value once, got it in the singular and in the plural")
    return plural if singular is None else singular


def _numbers(values: Any, side: str) -> np.ndarray:
    """Check finite numbers, and return them as float64."""
    if values is None:
        raise ValueError(f"expected {side} with every call, as agreement is measured in pairs, got none")
    numbers = as_numbers(values, side)
    if numbers.size == 0:
        raise ValueError(f"expected at least one number in {side}, got none")
    check_finite(numbers, side.removeprefix("a "))
    return numbers
