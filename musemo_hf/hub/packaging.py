"""Trained models -> the checkpoints that the package carries, each with its report and its card."""

import json
import shutil
from pathlib import Path
from typing import Any

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.hub.models import model_facts, write_card
from musemo_hf.models.gan import MusemoGanDiscriminator, MusemoGanGenerator
from musemo_hf.models.vit import MusemoViTForEmotionRegression

MAX_BYTES = 25_000_000  # of both together, so that the repository stays light


def package_checkpoints(
    generator_dir: str | Path, recogniser_dir: str | Path, report_path: str | Path, target: str | Path
) -> dict[str, Path]:
    """Write `target/generator` and `target/recogniser`, replacing what is there.

    Args:
        generator_dir: folder of a trained generator with its `preprocessor_config.json`.
        recogniser_dir: folder of a trained recogniser, likewise.
        report_path: `report.json` of the ablation that measured both recipes; its out-of-fold error of real songs
            becomes the recogniser's `emotion_error`.
        target: the package's `checkpoints` folder.

    Returns:
        name -> folder.

    Raises:
        ValueError: the two are over 25 MB together; nothing is replaced then.
    """
    report = json.loads(Path(report_path).read_text(encoding="utf-8"))
    generator = MusemoGanGenerator.from_pretrained(generator_dir)
    recogniser = MusemoViTForEmotionRegression.from_pretrained(recogniser_dir)
    rmse = report["arms"]["real"]["rmse"]
    recogniser.config.emotion_error = [round(rmse[name]["value"], 4) for name in ("valence", "arousal")]
    n_bytes = sum(model.num_parameters() * 4 for model in (generator, recogniser))
    if n_bytes > MAX_BYTES:
        raise ValueError(f"expected checkpoints of at most {MAX_BYTES:,} bytes together, got {n_bytes:,}")
    models: dict[str, tuple[Any, str | Path]] = {
        "generator": (generator, generator_dir),
        "recogniser": (recogniser, recogniser_dir),
    }
    return {name: _package(name, model, source, report, Path(target)) for name, (model, source) in models.items()}


def _package(name: Any, model: Any, source: str | Path, report: dict[str, Any], target: Path) -> Path:
    folder, partial = target / name, target / f"{name}.part"
    shutil.rmtree(partial, ignore_errors=True)
    extractor = MusemoFeatureExtractor.from_pretrained(source)
    model.save_pretrained(partial)
    extractor.save_pretrained(partial)
    discriminator = Path(source) / "discriminator"
    if discriminator.is_dir():
        MusemoGanDiscriminator.from_pretrained(discriminator).save_pretrained(partial / "discriminator")
    facts = model_facts(model, extractor) | {"discriminator": discriminator.is_dir()}
    write_card(partial, name, f"<user>/musemo-{name}", report, facts)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder
