"""Quality of generated log-mel spectrograms against real ones, as an `evaluate` module."""

from pathlib import Path
from typing import Any

import datasets
import evaluate
import numpy as np

from musemo_hf.evaluation.external.external_answer import MISSING, checked_external, external_answer
from musemo_hf.evaluation.score.reducer import STATE, ClipReducer, merge_statistics, state_row, statistics_of
from musemo_hf.evaluation.score.report import Evidence, quality_report

_DESCRIPTION = """\
The published five-part quality score of generated spectrograms (bounded, on one scale), and the figures that show how
to read it: the same score for other real music and for noise without music (the reference scale), the skill between the
two, KID, precision, recall, density, coverage, authenticity, and bootstrap intervals.
"""

_INPUTS = """
Args:
    predictions: The generated clips: (B, 1, 128, n_frames), (B, 128, n_frames) or a list of clips, in dB or, on both
        sides, normalised to [-1, 1]; numpy, torch, or a column of a data set.
    references: The real clips, in the same forms. Their number may differ, and either side may be added alone.
    training: The clips that the generator was trained on, or their embeddings (N, D), or an .npz file with
        `embeddings`; with held_out, for the authenticity.
    held_out: Real clips that the generator was not trained on, in the same forms as training.
    confidence: The confidence level of the bootstrap intervals, such as 0.95; no intervals by default.
    n_resamples: The number of bootstrap draws, 400 by default.
    seed: The seed of surrogates and bootstrap, 0 by default.
    reference_groups: The artist of each reference, in the order in which they were added: halves of the references
        share no artist, and the bootstrap draws artists. By default each clip is its own group.
    ladder: Whether to compute the reference scale (the figure `ladder`) and the skill, which take most of the time.
    external: Features of the same clips as sound, by a pretrained audio model that took no part in the training: a dict
        of the arguments of `external_figures` (reference, candidate and noises; held_out and groups if they are known),
        and `embedder`, its name. All sides have to become sound in the same way, as those of `external_sides` do. The
        confidence, the number of draws and the seed are those of this call. Without it, a note says what is missing.

Returns:
    quality_score, tier, frechet_score, moment_score, smoothness_score, frequency_score, range_score, targets,
    frechet_distance, frechet_distance_extrapolated, published_score, skill, protocol_skill, modulation_distance, kid,
    kid_se, precision, recall, density, coverage, authenticity, ladder (the score of each step of the reference scale by
    name), n_references, n_predictions, embedder; notes, a reason for each figure that is NaN or None; with confidence,
    <name>_interval = [low, high]. With external, also external_skill, which decides, external_skill_frechet,
    external_kid, detectability, external_coverage, the same of real songs, and external_embedder.
"""


class SpectrogramQuality(evaluate.Metric):
    """Computes `quality_report` through `add`, `add_batch` and `compute`.

    Clips are reduced to rows as they arrive, since raw spectrograms would fill the store of `evaluate`; rows are stored
    as bytes. The statistics that surrogates are drawn from are stored as one more row.

    Args:
        embedder: The feature space of KID, precision, recall, density, coverage and authenticity, an `Embedder` or its
            name: `evaluate.load(path, embedder="mel-statistics-v1")`.
    """

    def __init__(self, *args: Any, embedder: Any = "modulation-v1", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reducer = ClipReducer(embedder)

    def _info(self) -> evaluate.MetricInfo:
        row = datasets.Value("binary")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": row, "references": row}),
        )

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Add clips of one side, or of both in any numbers."""
        fake = [] if predictions is None else [row.tobytes() for row in self.reducer.predictions(predictions)]
        real = [] if references is None else [row.tobytes() for row in self.reducer.references(references)]
        self._store(fake, real, **kwargs)

    def add(
        self,
        *,
        prediction: Any = None,
        reference: Any = None,
        predictions: Any = None,
        references: Any = None,
        **kwargs: Any,
    ) -> None:
        """Add one clip of one side, or of each side, (128, n_frames); `evaluate.combine` names them in the plural."""
        fake, real = _one(prediction, predictions), _one(reference, references)
        fake, real = (None if clip is None else [clip] for clip in (fake, real))
        self.add_batch(predictions=fake, references=real, **kwargs)

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """Report on all clips added by any process and on those given here; None except in process 0."""
        if predictions is not None or references is not None:
            self.add_batch(predictions=predictions, references=references)
        if self.writer is None and self.num_process == 1:
            raise ValueError("expected predictions and references, got none: call add, add_batch, or compute with them")
        if kwargs.get("external") is not None:
            checked_external(kwargs["external"])  # before minutes of work are lost
        statistics = self.reducer.statistics
        self._store([], [] if statistics is None else [state_row(statistics).tobytes()])
        reducer, self.reducer = self.reducer, ClipReducer(self.reducer.embedder)
        sides = {side: _features(kwargs.pop(side, None), reducer, side) for side in ("training", "held_out")}
        return super().compute(reducer=reducer, **sides, **kwargs)

    def _store(self, fake: list[bytes], real: list[bytes], **kwargs: Any) -> None:
        longer = max(len(fake), len(real), 1)  # `evaluate` needs as many on both sides: the rest is empty
        padded = [side + [b""] * (longer - len(side)) for side in (fake, real)]
        super().add_batch(predictions=padded[0], references=padded[1], **kwargs)

    def _compute(
        self, *, predictions: Any, references: Any, reducer: Any, external: Any = None, **options: Any
    ) -> dict[str, Any]:
        fake, real = ([np.frombuffer(row) for row in side if row] for side in (predictions, references))
        states = [statistics_of(row) for row in real if row[0] == STATE]
        clips = [row for row in real if row[0] != STATE]
        statistics, reducer.unfitted = merge_statistics(states, reducer.unfitted)
        evidence = Evidence(_stacked(clips), _stacked(fake), reducer, statistics, **options)
        answer = quality_report(evidence)
        if external is None:
            answer["notes"]["external_skill"] = MISSING
            return answer
        found = external_answer(external, evidence.confidence, evidence.n_resamples, evidence.seed)
        notes = answer["notes"] | found.pop("external_notes")
        return answer | found | {"notes": notes}


def _one(singular: Any, plural: Any) -> Any:
    if singular is not None and plural is not None:
        raise ValueError("expected a clip once, got it in the singular and in the plural")
    return plural if singular is None else singular


def _stacked(rows: list[np.ndarray]) -> np.ndarray:
    return np.stack(rows) if rows else np.empty((0, 1))


def _features(value: Any, reducer: Any, side: str) -> np.ndarray | None:
    """Convert clips, embeddings `(N, D)`, or the path of an .npz with `embeddings` to embeddings `(N, D)`."""
    if value is None:
        return None
    if isinstance(value, str | Path):
        value = _read(Path(value), reducer.embedder.name, side)
    if getattr(value, "ndim", 0) != 2:
        return reducer.embed(value, side)
    if value.shape[1] != reducer.embedder.dimension:
        expected = f"(N, {reducer.embedder.dimension}) of {reducer.embedder.name}"
        raise ValueError(f"expected {side} embeddings {expected}, got {tuple(value.shape)}")
    return np.asarray(value, dtype=np.float64)


def _read(path: Path, embedder: str, side: str) -> np.ndarray:
    with np.load(path, allow_pickle=False) as arrays:
        if "embeddings" not in arrays:
            raise ValueError(f"expected an array `embeddings` for {side} in {path}, got {', '.join(arrays)}")
        if "embedder" in arrays and str(arrays["embedder"]) != embedder:
            raise ValueError(f"expected {side} embeddings of {embedder} in {path}, got those of {arrays['embedder']}")
        return arrays["embeddings"]
