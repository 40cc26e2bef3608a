"""The evaluation of one recogniser, as plain data: agreement on a held-out fold, and coverage of intervals."""

import json
from typing import Any

import numpy as np

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.evaluation.statistics.interval_coverage import coverage_report
from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.reporting.provenance import caveats, versions
from musemo_hf.training.clips import Clips
from musemo_hf.training.corpus import select
from musemo_hf.training.recogniser.calibrated_training import Calibrated, TrainedRecogniser
from musemo_hf.training.recogniser.prediction import predict, predict_with_deviation

from .generator import AGREEMENT

DIMENSIONS = ("valence", "arousal")


def build_recogniser_report(
    trained: TrainedRecogniser,
    songs: SongArrays,
    fold: int | None,
    corpus: dict[str, Any],
    command: str,
    budget: str,
    seeds: list[int],
) -> dict[str, Any]:
    """Evaluate a recogniser.

    Args:
        trained: The result of `train_recogniser` on all songs but those of the fold.
        songs: The whole corpus.
        fold: The fold that was held out of training and calibration; None where all songs were used.
        corpus: The description of the corpus, with `name` and `procedural` (bool).
        command: The command line that made the report.
        budget: The name of the configuration.
        seeds: The seeds of the training.

    Returns:
        The figures that cards read. With a fold: `ccc_real_only` and `recogniser` (against its labels). With predicted
        deviations: `uncertainty`, the `coverage_report` on the fold (`held_out` True) or else on the songs of the
        calibration, each part with the scale of the others (`held_out` False), with `scale`, `n_calibration` and
        `n_calibration_artists`. Always: `findings`, `corpus`, `budget`, `seeds`, `command`, `versions`.
    """
    tested = None if fold is None else select(songs, np.flatnonzero(songs.fold == fold))
    n_training = len(trained.learnt) + (0 if trained.calibrated is None else len(trained.calibrated.songs))
    report: dict[str, Any] = {
        "corpus": corpus
        | {"n_songs": len(songs), "n_training": n_training, "n_learnt": len(trained.learnt), "fold": fold}
        | {"n_frames": int(songs.spectrogram.shape[-1])},
        "budget": budget,
        "seeds": seeds,
        "command": command,
        "versions": versions(),
    }
    if tested is not None:
        groups = artist_groups(tested.artist)
        predicted = predict(trained.model, Clips.of_songs(tested).spectrogram)
        own = concordance_report(predicted.numpy(), tested.emotion, groups, confidence=0.95)
        report["corpus"] |= {"n_tested": len(tested), "n_artists": len(set(groups))}
        report["ccc_real_only"] = {"value": own["ccc_mean"], "interval": own["ccc_mean_interval"]}
        report["recogniser"] = {name: own[name] for name in AGREEMENT}
    if trained.calibrated is not None:
        report["uncertainty"] = _uncertainty(trained.model, trained.calibrated, tested)
    report["findings"] = _findings(report)
    return json.loads(json.dumps(report, default=float))


def _uncertainty(
    model: MusemoViTForEmotionRegression, calibrated: Calibrated, tested: SongArrays | None
) -> dict[str, Any]:
    """Compute the coverage on the held-out songs, or else on those of the calibration by cross-validation."""
    evaluated = calibrated.songs if tested is None else tested
    groups = artist_groups(evaluated.artist)
    emotion, predicted = predict_with_deviation(model, Clips.of_songs(evaluated).spectrogram)
    own: np.ndarray = calibrated.own.deviation if tested is None else np.asarray(predicted)
    constant = calibrated.constant.deviation if tested is None else np.array(calibrated.constant.scale)
    return coverage_report(emotion.numpy(), evaluated.emotion, own, constant, groups) | {
        "held_out": tested is not None,
        "scale": model.config.deviation_scale,
        "constant_error": calibrated.constant.scale,
        "n_calibration": len(calibrated.songs),
        "n_calibration_artists": len(set(artist_groups(calibrated.songs.artist))),
    }


def _findings(report: dict[str, Any]) -> list[str]:
    corpus = report["corpus"]
    sentences = caveats(corpus)
    if "recogniser" in report:
        own = report["recogniser"]
        low, high = own["ccc_mean_interval"]
        sentences.append(
            f"Trained on {corpus['n_training']} songs, evaluated on {corpus['n_tested']} songs of "
            f"{corpus['n_artists']} other artists (fold {corpus['fold']}): CCC {own['ccc_mean']:.3f} "
            f"({low:.3f} to {high:.3f}), " + _each("{:.3f} ({:.3f} to {:.3f})", own["ccc"], own["ccc_interval"]) + "."
        )
    else:
        sentences.append(f"Trained on all {corpus['n_training']} songs: no fold was held out, so no CCC is known.")
    if "uncertainty" in report:
        sentences += _uncertainty_findings(report["uncertainty"], corpus)
    return sentences


def _uncertainty_findings(found: dict[str, Any], corpus: dict[str, Any]) -> list[str]:
    source = (
        f"The network was trained on {corpus['n_learnt']} of these; the other {found['n_calibration']}, of "
        f"{found['n_calibration_artists']} other artists, gave the factors of its deviations: "
        + _each("{:.2f}", found["scale"])
        + "."
    )
    judged = (
        f"the {found['n']} songs held out"
        if found["held_out"]
        else f"those {found['n']} songs, each fifth with the factors of the others, since no fold was held out"
    )
    inside = "; ".join(
        f"within the {100 * float(level):g} % interval " + _each("{:.1f} % ({:.1f} to {:.1f})", *_percent(share))
        for level, share in found["own"]["coverage"].items()
    )
    return [source, f"Of the labels of {judged}, there lie {inside}.", _likelihood(found)]


def _percent(share: dict[str, Any]) -> tuple[list[float], list[list[float]]]:
    ends = [[100 * end for end in pair] for pair in share["interval"]]
    return [100 * value for value in share["value"]], ends


def _likelihood(found: dict[str, Any]) -> str:
    """Compare a predicted deviation for each clip with one error for all clips."""
    gain = found["nll_gain"]
    verdicts = [
        f"{'helps' if low > 0 else 'harms' if high < 0 else 'is not shown to help'} in {name}"
        for name, (low, high) in zip(DIMENSIONS, gain["interval"], strict=True)
    ]
    return (
        "Negative log-likelihood, nats a label: "
        + _each("{:.3f}", found["own"]["nll"])
        + ", with one error for all clips "
        + _each("{:.3f}", found["constant"]["nll"])
        + "; gain "
        + _each("{:+.3f} ({:+.3f} to {:+.3f})", gain["value"], gain["interval"])
        + f": a predicted deviation for each clip {' and '.join(verdicts)}."
    )


def _each(shape: str, values: list[float], intervals: list[list[float]] | None = None) -> str:
    """Write the values of valence and arousal, with their intervals."""
    ends = intervals or [[], []]
    return " and ".join(
        f"{shape.format(value, *pair)} in {name}" for name, value, pair in zip(DIMENSIONS, values, ends, strict=True)
    )
