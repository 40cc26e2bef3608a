"""Packaging trained models as the checkpoints of this package, each with its report and its card."""

from pathlib import Path
from typing import Any

import torch

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.audio.mel import denormalise
from musemo_hf.files import atomic_folder
from musemo_hf.hub.models import model_facts, write_card
from musemo_hf.models.gan import MusemoGanDiscriminator
from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.pipelines.generators import load_generator, sample_clips
from musemo_hf.reporting.report_values import number
from musemo_hf.reporting.stored_report import ReportError, read_report, read_report_beside

MAX_BYTES = 32_000_000  # of all models together, so that the repository stays light


def package_checkpoints(
    generator_dir: str | Path,
    recogniser_dir: str | Path,
    report_path: str | Path,
    target: str | Path,
    recogniser_report_path: str | Path | None = None,
) -> dict[str, Path]:
    """Write `target/generator`, in half precision, and `target/recogniser`, and replace those that are there.

    Args:
        generator_dir: The folder of a trained generator with its `preprocessor_config.json`.
        recogniser_dir: The folder of a trained recogniser with its `preprocessor_config.json`.
        report_path: The `report.json` that measured both, of an ablation or of `training/measure_generator.py`. Its
            error on real songs of other artists becomes the recogniser's `emotion_error`. Where the recogniser is
            calibrated, its own `report.json` adds the coverage of its intervals.
        target: The folder `checkpoints` of the package.
        recogniser_report_path: The `report.json` of an ablation whose arm `real` is the recogniser's recipe. It
            replaces `report_path` for the recogniser, which may then be trained on all songs.

    Returns:
        The folders by name.

    Raises:
        ValueError: The two are over 32 MB together, or a report lacks the recogniser's error; nothing is replaced then.
    """
    report = read_report(report_path)
    own_report = report if recogniser_report_path is None else read_report(recogniser_report_path)
    generator = load_generator(generator_dir).half()
    recogniser = MusemoViTForEmotionRegression.from_pretrained(recogniser_dir)
    recogniser.config.emotion_error = [round(error, 4) for error in _errors(own_report)]
    discriminator = _discriminator(Path(generator_dir))
    networks = [network for network in (generator, discriminator, recogniser) if network is not None]
    _check_size(sum(map(_n_bytes, networks)))
    models: dict[str, tuple[Any, str | Path, dict[str, Any]]] = {
        "generator": (generator, generator_dir, report),
        "recogniser": (
            recogniser,
            recogniser_dir,
            _with_uncertainty(own_report, recogniser, Path(recogniser_dir)),
        ),
    }
    return {
        name: _package(name, model, source, measured, Path(target))
        for name, (model, source, measured) in models.items()
    }


def package_generator(generator_dir: str | Path, report_path: str | Path, target: str | Path, name: str) -> Path:
    """Write a generator in half precision as `target/name`, and replace the one that is there.

    Its weights are stored as float16, which halves the file, and loaded as float32.

    Args:
        generator_dir: The folder of a trained generator with its `preprocessor_config.json`.
        report_path: The `report.json` of `training/measure_generator.py`.
        target: The folder `checkpoints` of the package.
        name: "generator" for the GAN, or "flow".

    Returns:
        The folder of the packaged generator.

    Raises:
        ValueError: It is over 32 MB together with the other checkpoints; nothing is replaced then.
    """
    generator, discriminator = load_generator(generator_dir).half(), _discriminator(Path(generator_dir))
    networks = [network for network in (generator, discriminator) if network is not None]
    others = [path for path in Path(target).rglob("*.safetensors") if path.relative_to(target).parts[0] != name]
    _check_size(sum(map(_n_bytes, networks)) + sum(path.stat().st_size for path in others))
    return _package(name, generator, generator_dir, read_report(report_path), Path(target))


def rounding(generator_dir: str | Path, packaged_dir: str | Path, n_clips: int = 64) -> tuple[float, float]:
    """Return the mean and the largest absolute difference in dB that the packaging of a generator makes.

    Args:
        generator_dir: The folder of the trained generator.
        packaged_dir: The folder of the same generator as it was packaged.
        n_clips: The number of clips to compare, which are generated at random emotions.
    """
    emotion = 2 * torch.rand(n_clips, 2, generator=torch.Generator().manual_seed(0)) - 1
    before, after = (
        denormalise(sample_clips(load_generator(folder), emotion, seed=0)) for folder in (generator_dir, packaged_dir)
    )
    difference = (before - after).abs()
    return difference.mean().item(), difference.max().item()


def package_recogniser(
    recogniser_dir: str | Path, report_path: str | Path, target: str | Path, name: str = "recogniser"
) -> Path:
    """Write a recogniser as `target/name`, and replace the one that is there.

    Args:
        recogniser_dir: The folder of a trained recogniser with its `preprocessor_config.json`.
        report_path: The report of its recipe, of `training/evaluate_recognisers.py` (`report-<recipe>.json`) or of an
            ablation. Its error on songs of other artists becomes the recogniser's `emotion_error`.
        target: The folder `checkpoints` of the package.
        name: "recogniser", or "recogniser-yamnet" for one with the embedder YAMNet.

    Raises:
        ValueError: The name does not fit the recogniser, the checkpoints are over 32 MB together, or the report lacks
            the error; nothing is replaced then.
    """
    report = read_report(report_path)
    model = MusemoViTForEmotionRegression.from_pretrained(recogniser_dir)
    expected = "recogniser" if model.config.embedder is None else f"recogniser-{model.config.embedder.split('-')[0]}"
    if name != expected:
        raise ValueError(
            f"expected the name {expected} for a recogniser with embedder {model.config.embedder}, got {name}"
        )
    model.config.emotion_error = [round(error, 4) for error in _errors(report)]
    others = [path for path in Path(target).rglob("*.safetensors") if path.parent.name != name]
    _check_size(_n_bytes(model) + sum(path.stat().st_size for path in others))
    return _package(name, model, recogniser_dir, _with_uncertainty(report, model, Path(recogniser_dir)), Path(target))


def _n_bytes(network: Any) -> int:
    return sum(value.numel() * value.element_size() for value in network.state_dict().values())


def _check_size(n_bytes: int) -> None:
    if n_bytes > MAX_BYTES:
        raise ValueError(f"expected checkpoints of at most {MAX_BYTES:,} bytes together, got {n_bytes:,}")


def _with_uncertainty(report: dict[str, Any], model: Any, source: Path) -> dict[str, Any]:
    """Return the report, with the `uncertainty` that the training measured where the recogniser is calibrated."""
    if getattr(model.config, "deviation_scale", None) is None:
        return report
    measured = (read_report_beside(source) or {}).get("uncertainty")
    return report if measured is None else report | {"uncertainty": measured}


def _errors(report: dict[str, Any]) -> tuple[float, float]:
    """Return the root mean square error of (valence, arousal) on songs of artists outside the training."""
    try:
        if "arms" in report:
            rmse = report["arms"]["real"]["rmse"]
            valence, arousal = rmse["valence"]["value"], rmse["arousal"]["value"]
        else:
            valence, arousal = report["recogniser"]["rmse"]
        errors = number(valence), number(arousal)
    except (KeyError, TypeError, ValueError):
        errors = None, None
    if errors[0] is None or errors[1] is None:
        raise ReportError(
            "expected two numbers in the recogniser's report, as arms.real.rmse of an ablation or recogniser.rmse of a "
            "measured generator, got none"
        )
    return errors[0], errors[1]


def _discriminator(generator_dir: Path) -> MusemoGanDiscriminator | None:
    folder = generator_dir / "discriminator"
    return MusemoGanDiscriminator.from_pretrained(folder).half() if folder.is_dir() else None


def _package(name: Any, model: Any, source: str | Path, report: dict[str, Any], target: Path) -> Path:
    extractor, discriminator = MusemoFeatureExtractor.from_pretrained(source), _discriminator(Path(source))
    with atomic_folder(target / name) as partial:
        model.save_pretrained(partial)
        extractor.save_pretrained(partial)
        if discriminator is not None:
            discriminator.save_pretrained(partial / "discriminator")
        facts = model_facts(model, extractor) | {"discriminator": discriminator is not None}
        kind: Any = "recogniser" if name.startswith("recogniser") else "generator"
        write_card(partial, kind, f"<user>/musemo-{name}", report, facts)
    return target / name
