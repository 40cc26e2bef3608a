"""Generator, recogniser and pipeline -> repositories that strangers can load, with or without this package."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers.dynamic_module_utils import custom_object_save

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.hub.cards import CardKind, render_card
from musemo_hf.hub.sample import add_sample
from musemo_hf.hub.transfer import push_folder
from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.models.gan import MusemoGanDiscriminator, MusemoGanGenerator
from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.pipelines.emotion_to_music import MusemoPipeline
from musemo_hf.pipelines.music_to_emotion import MusicToEmotionPipeline
from musemo_hf.pipelines.registration import register

REPORT = "report.json"
_ARCHITECTURES: dict[type, str] = {
    MusemoGanGenerator: "gan",
    MusemoFlowGenerator: "flow",
    MusemoViTForEmotionRegression: "vit",
}


def push_generator(
    repo_id: str,
    checkpoint: str | Path,
    report: dict[str, Any] | None = None,
    sample: bool = True,
    private: bool = False,
    token: str | None = None,
    tag: str | None = None,
) -> str:
    """Push `<user>/musemo-generator`.

    The generator, a GAN's or a flow, at the root with its code and `preprocessor_config.json`, the discriminator, where
    the checkpoint has one, in `discriminator/`, a card with the report behind it, and a song as picture and sound. A
    GAN's is a model of transformers, and a flow one of diffusers: `AutoModel` of that library loads it without this
    package.

    Args:
        repo_id: "user/name".
        checkpoint: folder of a generator with its `preprocessor_config.json`; `discriminator/` is taken along.
        report: `report.json` of the ablation, for the card; `checkpoint/report.json` where None.
        sample: whether to make the picture and the sound, of one preset and seed 0.
        private: of a repository that is made.
        token: with write access; from `HF_TOKEN` or `hf auth login` where None.
        tag: a name for the resulting revision.

    Returns:
        The hash of the repository's newest commit; the one before where nothing changed.

    Raises:
        HubPushError: see `push_folder`.
        OSError: the checkpoint is not one.
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
        if isinstance(generator, MusemoFlowGenerator):
            custom_object_save(generator, folder)  # diffusers names the code in `auto_map`, and does not write it
        files = add_sample(folder, _weights(folder), song, repo_id, token) if sample else {}
        facts = model_facts(generator, extractor) | files | {"discriminator": discriminator.is_dir()}
        write_card(folder, "generator", repo_id, _report(checkpoint, report), facts)
        return push_folder(folder, repo_id, "model", "Upload generator", private, token, tag)


def push_recogniser(
    repo_id: str,
    checkpoint: str | Path,
    report: dict[str, Any] | None = None,
    private: bool = False,
    token: str | None = None,
    tag: str | None = None,
) -> str:
    """Push `<user>/musemo-recogniser`.

    The model at the root with its code and `preprocessor_config.json`, the code of the transformers pipeline (so that
    `pipeline(model=repo_id, trust_remote_code=True)` works without this package), and a card.

    Args and errors are those of `push_generator`.
    """
    checkpoint = Path(checkpoint)
    model = MusemoViTForEmotionRegression.from_pretrained(checkpoint)
    extractor = MusemoFeatureExtractor.from_pretrained(checkpoint)
    register()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _shipping_code():
            MusicToEmotionPipeline(model, feature_extractor=extractor).save_pretrained(folder)
        write_card(folder, "recogniser", repo_id, _report(checkpoint, report), model_facts(model, extractor))
        return push_folder(folder, repo_id, "model", "Upload recogniser", private, token, tag)


def push_pipeline(
    repo_id: str,
    checkpoint: str | Path,
    report: dict[str, Any] | None = None,
    sample: bool = True,
    private: bool = False,
    token: str | None = None,
    tag: str | None = None,
) -> str:
    """Push `<user>/musemo`: `model_index.json`, `generator/`, `feature_extractor/`, a card, a picture and a sound.

    Args and errors are those of `push_generator`; `checkpoint` may also be the folder of a pipeline.
    """
    checkpoint = Path(checkpoint)
    pipeline = MusemoPipeline.from_pretrained(checkpoint)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipeline.save_pretrained(folder)
        weights = f"generator/{_weights(folder / 'generator')}"
        files = add_sample(folder, weights, pipeline, repo_id, token) if sample else {}
        facts = model_facts(pipeline.generator, pipeline.feature_extractor) | files
        write_card(folder, "pipeline", repo_id, _report(checkpoint, report), facts)
        return push_folder(folder, repo_id, "model", "Upload pipeline", private, token, tag)


@contextmanager
def _shipping_code() -> Iterator[None]:
    """Within it `save_pretrained` writes code and `auto_map` too; a checkpoint of a training run stays without."""
    shipped: list[tuple[Any, str]] = [
        (MusemoGanGenerator.config_class, "AutoConfig"),
        (MusemoViTForEmotionRegression.config_class, "AutoConfig"),
        (MusemoGanGenerator, "AutoModel"),
        (MusemoFlowGenerator, "AutoModel"),
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
    """The file of a folder's weights: transformers and diffusers name it differently."""
    return next(folder.glob("*.safetensors")).name


def _report(checkpoint: Path, report: dict[str, Any] | None) -> dict[str, Any] | None:
    own = checkpoint / REPORT
    if report is None and own.is_file():
        return json.loads(own.read_text(encoding="utf-8"))
    return report


def model_facts(model: Any, extractor: MusemoFeatureExtractor) -> dict[str, Any]:
    """What a card says of a model without measuring.

    Returns:
        `architecture` ("gan", "flow" or "vit"), `n_parameters`, `n_frames`, `seconds`, `sampling_rate`, of a flow
        `num_inference_steps` and `guidance_scale`, which it samples with where it is told nothing else, and of a
        recogniser with a kernel read-out `kernel_clips` and `kernel_share`.
    """
    architecture = _ARCHITECTURES[type(model)]
    sampling = ("num_inference_steps", "guidance_scale") if architecture == "flow" else ()
    kept = ("kernel_clips", "kernel_share") if getattr(model.config, "kernel_read_out", False) else ()
    return {name: getattr(model.config, name) for name in (*sampling, *kept)} | {
        "architecture": architecture,
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "n_frames": model.config.n_frames,
        "seconds": extractor.settings.n_samples(model.config.n_frames) / extractor.sampling_rate,
        "sampling_rate": extractor.sampling_rate,
    }


def write_card(
    folder: Path, kind: CardKind, repo_id: str, report: dict[str, Any] | None, facts: dict[str, Any]
) -> None:
    """The card and, beside it, the report that it was made from, which the Space shows too."""
    if report is not None:
        (folder / REPORT).write_text(json.dumps(report, indent=1), encoding="utf-8")
    card = render_card(kind, report, repo_id=repo_id, **facts)
    (folder / "README.md").write_text(card, encoding="utf-8")
