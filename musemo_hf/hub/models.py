"""Pushing generator, recogniser and pipeline, to be loaded with or without this package."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

from diffusers import ModelMixin
from transformers.dynamic_module_utils import custom_object_save

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.audio.vocoder_grid import grid_of
from musemo_hf.hub.cards import CardKind, render_card
from musemo_hf.hub.pipeline_code import add_code
from musemo_hf.hub.sample import add_samples
from musemo_hf.hub.transfer import PushOptions, push_folder
from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.models.gan import MusemoGanDiscriminator, MusemoGanGenerator
from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.pipelines.emotion_to_music import MusemoPipeline
from musemo_hf.pipelines.model_kind import check_kind
from musemo_hf.pipelines.music_to_emotion import MusicToEmotionPipeline
from musemo_hf.pipelines.registration import register
from musemo_hf.reporting.stored_report import read_report_beside

REPORT = "report.json"
_ARCHITECTURES: dict[type, str] = {
    MusemoGanGenerator: "gan",
    MusemoFlowGenerator: "flow",
    MusemoUNetGenerator: "unet",
    MusemoViTForEmotionRegression: "vit",
}


def push_generator(
    repo_id: str,
    checkpoint: str | Path,
    report: dict[str, Any] | None = None,
    sample: bool = True,
    **options: Unpack[PushOptions],
) -> str:
    """Push a generator as `<user>/musemo-generator`.

    The repository gets the generator (a GAN, a flow or a U-Net) with its code and `preprocessor_config.json` at its
    root, the discriminator in `discriminator/` where the checkpoint has one, a card with its report, and five songs as
    picture and sound. `AutoModel` of transformers (GAN) or of diffusers (the others) loads it without this package.

    Args:
        repo_id: The repository as "user/name".
        checkpoint: The folder of a generator with its `preprocessor_config.json`.
        report: The `report.json` of the ablation, for the card; by default that of the checkpoint.
        sample: Whether to make the picture and the sounds, one of each preset with seed 0.
        **options: `private`, `token` and `tag`, see `push_folder`.

    Returns:
        The hash of the repository's newest commit.

    Raises:
        HubPushError: See `push_folder`.
        OSError: The folder is not a checkpoint.
    """
    checkpoint = Path(checkpoint)
    song = MusemoPipeline.from_pretrained(checkpoint)
    generator, extractor = song.generator, song.feature_extractor
    discriminator = checkpoint / "discriminator"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if discriminator.is_dir():
            MusemoGanDiscriminator.from_pretrained(discriminator).save_pretrained(folder / "discriminator")
        with _shipping_code():
            generator.save_pretrained(folder)
            extractor.save_pretrained(folder)
        if isinstance(generator, ModelMixin):
            custom_object_save(generator, folder)  # diffusers names the code in `auto_map`, and does not write it
        files = add_samples(folder, [_weights(folder)], song, repo_id, options.get("token")) if sample else {}
        facts = model_facts(generator, extractor) | files | {"discriminator": discriminator.is_dir()}
        write_card(folder, "generator", repo_id, _report(checkpoint, report), facts)
        return push_folder(folder, repo_id, "model", "Upload generator", **options)


def push_recogniser(
    repo_id: str,
    checkpoint: str | Path,
    report: dict[str, Any] | None = None,
    **options: Unpack[PushOptions],
) -> str:
    """Push a recogniser as `<user>/musemo-recogniser`; arguments and errors are those of `push_generator`.

    The repository gets the model with its code and `preprocessor_config.json` at its root, the code of the transformers
    pipeline (so that `pipeline(model=repo_id, trust_remote_code=True)` works without this package), and a card.
    """
    checkpoint = Path(checkpoint)
    check_kind(checkpoint, "recogniser")
    model = MusemoViTForEmotionRegression.from_pretrained(checkpoint)
    extractor = MusemoFeatureExtractor.from_pretrained(checkpoint)
    register()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _shipping_code():
            MusicToEmotionPipeline(model, feature_extractor=extractor).save_pretrained(folder)
        write_card(folder, "recogniser", repo_id, _report(checkpoint, report), model_facts(model, extractor))
        return push_folder(folder, repo_id, "model", "Upload recogniser", **options)


def push_pipeline(
    repo_id: str,
    checkpoint: str | Path,
    report: dict[str, Any] | None = None,
    sample: bool = True,
    vocoder: str | Path | None = None,
    **options: Unpack[PushOptions],
) -> str:
    """Push a pipeline as `<user>/musemo`: its components with their code, a card, a picture and five sounds.

    `DiffusionPipeline.from_pretrained(repo_id, trust_remote_code=True)` of diffusers loads it without this package.
    Arguments and errors are those of `push_generator`; `checkpoint` may also be the folder of a pipeline. `vocoder` is
    the folder or repository of a vocoder that becomes a component (default: that of the pipeline, if it has one), and
    that the card names.
    """
    checkpoint = Path(checkpoint)
    pipeline = MusemoPipeline.from_pretrained(checkpoint, **({} if vocoder is None else {"vocoder": vocoder}))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipeline.save_pretrained(folder)
        add_code(folder, pipeline)
        networks = ["generator"] if pipeline.vocoder is None else ["generator", "vocoder"]
        weights = [f"{name}/{_weights(folder / name)}" for name in networks]
        files = add_samples(folder, weights, pipeline, repo_id, options.get("token")) if sample else {}
        facts = model_facts(pipeline.generator, pipeline.feature_extractor) | files
        facts["vocoder"] = None if pipeline.vocoder is None else _vocoder_facts(pipeline.vocoder)
        write_card(folder, "pipeline", repo_id, _report(checkpoint, report), facts)
        return push_folder(folder, repo_id, "model", "Upload pipeline", **options)


@contextmanager
def _shipping_code() -> Iterator[None]:
    """Make `save_pretrained` write code and `auto_map`, which the checkpoints of training runs do not have."""
    shipped: list[tuple[Any, str]] = [
        (MusemoGanGenerator.config_class, "AutoConfig"),
        (MusemoViTForEmotionRegression.config_class, "AutoConfig"),
        (MusemoGanGenerator, "AutoModel"),
        (MusemoFlowGenerator, "AutoModel"),
        (MusemoUNetGenerator, "AutoModel"),
        (MusemoViTForEmotionRegression, "AutoModel"),
        (MusemoFeatureExtractor, "AutoFeatureExtractor"),
    ]
    before = [(cls, cls.__dict__.get("_auto_class")) for cls, _ in shipped]
    for cls, auto_class in shipped:
        cls.register_for_auto_class(auto_class)
    try:
        yield
    finally:
        for cls, auto_class in before:
            cls._auto_class = auto_class


def _weights(folder: Path) -> str:
    """Return the name of the file with the weights, which transformers and diffusers name differently."""
    return next(folder.glob("*.safetensors")).name


def _report(checkpoint: Path, report: dict[str, Any] | None) -> dict[str, Any] | None:
    return read_report_beside(checkpoint) if report is None else report


def model_facts(model: Any, extractor: MusemoFeatureExtractor) -> dict[str, Any]:
    """Return what a card says of a model without measuring it.

    Returns:
        `architecture` ("gan", "flow", "unet" or "vit"), `n_parameters`, `n_frames`, `seconds` and `sampling_rate`; for
        a flow or a U-Net also `num_inference_steps` and `guidance_scale`, its defaults; for a U-Net `conditions`,
        `genres`, `n_descriptors`, `n_training_clips` and `beat`; for a recogniser with a kernel head also
        `kernel_clips`, `kernel_share`, `kernel_statistics`, `network` and `embedder`.
    """
    architecture = _ARCHITECTURES[type(model)]
    sampling = ("num_inference_steps", "guidance_scale") if architecture in ("flow", "unet") else ()
    wishes = ("conditions", "genres", "n_descriptors", "n_training_clips", "beat") if architecture == "unet" else ()
    head = ("kernel_clips", "kernel_share", "kernel_statistics", "network", "embedder")
    kept = head if getattr(model.config, "kernel_read_out", False) else ()
    return {name: getattr(model.config, name) for name in (*sampling, *wishes, *kept)} | {
        "architecture": architecture,
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "n_frames": model.config.n_frames,
        "seconds": extractor.settings.n_samples(model.config.n_frames) / extractor.sampling_rate,
        "sampling_rate": extractor.sampling_rate,
    }


def _vocoder_facts(vocoder: Any) -> dict[str, Any]:
    """Return what a card says of a vocoder: its class, where it came from, its parameters, and the log-mel it takes."""
    grid = grid_of(vocoder)
    # the libraries of models name it differently
    source = str(getattr(vocoder.config, "name_or_path", None) or getattr(vocoder.config, "_name_or_path", ""))
    facts = {"n_mels": grid.n_mels, "hop_length": grid.hop_length, "sampling_rate": grid.sampling_rate}
    return facts | {
        "class_name": type(vocoder).__name__,
        "source": source if _is_repository(source) else None,
        "n_parameters": sum(parameter.numel() for parameter in vocoder.parameters()),
    }


def _is_repository(name: str) -> bool:
    """Return whether a name is that of a repository; a folder of somebody's machine is none of a card's business."""
    return name.count("/") == 1 and not Path(name).exists() and not name.startswith((".", "/", "~"))


def write_card(
    folder: Path, kind: CardKind, repo_id: str, report: dict[str, Any] | None, facts: dict[str, Any]
) -> None:
    """Write a card and, beside it, the report that it was made from, which the Space shows too."""
    if report is not None:
        (folder / REPORT).write_text(json.dumps(report, indent=1), encoding="utf-8")
    card = render_card(kind, report, repo_id=repo_id, **facts)
    (folder / "README.md").write_text(card, encoding="utf-8")
