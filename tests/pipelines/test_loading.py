"""Options of `MusemoPipeline.from_pretrained` are obeyed or refused, and a model of another kind is refused."""

import json
import shutil

import pytest
import torch

from musemo_hf import (
    MusemoFeatureExtractor,
    MusemoFlowGenerator,
    MusemoGanConfig,
    MusemoGanDiscriminator,
    MusemoGanGenerator,
    MusemoPipeline,
    MusemoViTConfig,
    MusemoViTForEmotionRegression,
)
from musemo_hf.pipelines.generators import load_generator

GAN = MusemoGanConfig(n_frames=32, generator_channels=16, discriminator_channels=4, group_norm_groups=2)
VIT = {"n_frames": 32, "patch_size": (16, 16), "hidden_size": 16, "num_hidden_layers": 1}
VIT |= {"num_attention_heads": 2, "intermediate_size": 32}


def make_flow(seed: int) -> MusemoFlowGenerator:
    torch.manual_seed(seed)
    return MusemoFlowGenerator(n_frames=32, n_components=8, width=16, depth=1, n_heads=2, num_inference_steps=2)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A flow at the root with a variant, a GAN in `gan/`, a discriminator, a recogniser, and a pipeline of the flow."""
    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    make_flow(0).save_pretrained(root / "flow")
    make_flow(1).save_pretrained(root / "flow", variant="fp16")
    MusemoGanGenerator(GAN).save_pretrained(root / "flow/gan")
    MusemoGanGenerator(GAN).save_pretrained(root / "flow/gan", variant="fp16")
    MusemoGanDiscriminator(GAN).save_pretrained(root / "discriminator")
    MusemoViTForEmotionRegression(MusemoViTConfig(**VIT)).save_pretrained(root / "recogniser")
    for name in ("flow", "flow/gan", "discriminator", "recogniser"):
        MusemoFeatureExtractor(n_frames=32).save_pretrained(root / name)
    MusemoPipeline.from_pretrained(root / "flow").save_pretrained(root / "pipeline")
    return root


def total(pipeline):
    return sum(weight.double().abs().sum().item() for weight in pipeline.generator.parameters())


@pytest.mark.parametrize("name", ["flow", "pipeline"])
@pytest.mark.parametrize("option", ["dtype", "torch_dtype"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, {"generator": torch.bfloat16}, {"default": torch.bfloat16}])
def test_the_type_of_the_weights(folders, name, option, dtype):
    assert MusemoPipeline.from_pretrained(folders / name, **{option: dtype}).generator.dtype == torch.bfloat16


def test_a_subfolder_and_a_variant(folders):
    plain = MusemoPipeline.from_pretrained(folders / "flow")
    gan = MusemoPipeline.from_pretrained(folders / "flow", subfolder="gan", torch_dtype=torch.float16)
    assert isinstance(plain.generator, MusemoFlowGenerator)
    assert isinstance(gan.generator, MusemoGanGenerator)
    assert gan.generator.dtype == torch.float16
    variants = [(folders / "flow", {}), (folders / "flow", {"subfolder": "gan"})]
    for path, options in variants:
        stored, variant = (MusemoPipeline.from_pretrained(path, **options, **v) for v in ({}, {"variant": "fp16"}))
        assert total(stored) != total(variant)
    with pytest.raises(OSError, match="bf8"):
        MusemoPipeline.from_pretrained(folders / "flow", variant="bf8")


def test_a_device_map_and_components(folders):
    pipeline = MusemoPipeline.from_pretrained(folders / "flow", device_map="cpu", trust_remote_code=True)
    assert pipeline.device.type == "cpu"
    generator, extractor = make_flow(2), MusemoFeatureExtractor(n_frames=32, min_db=-50)
    for name in ("flow", "pipeline"):
        given = {"generator": generator, "feature_extractor": extractor}
        pipeline = MusemoPipeline.from_pretrained(folders / name, **given)
        assert (pipeline.generator, pipeline.feature_extractor) == (generator, extractor)


@pytest.mark.parametrize("name", ["flow", "pipeline", "flow/gan"])
@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"no_such_option": 1}, TypeError, "got no_such_option"),
        ({"custom_pipeline": "x"}, TypeError, "got custom_pipeline"),
        ({"quantization_config": {}}, TypeError, "got quantization_config"),
        ({"dtype": "float16"}, TypeError, "expected dtype to be a type such as torch.float16, got 'float16'"),
        ({"device_map": "auto"}, ValueError, "expected device_map out of cpu, cuda, balanced, got 'auto'"),
        ({"device_map": {"": "cpu"}}, ValueError, "expected device_map out of"),
        ({"subfolder": "none"}, OSError, "expected a model with config.json"),
    ],
)
def test_what_is_not_obeyed_is_refused(folders, name, option, error, message):
    with pytest.raises(error, match=message):
        MusemoPipeline.from_pretrained(folders / name, **option)


@pytest.mark.parametrize("load", [MusemoPipeline.from_pretrained, load_generator])
def test_a_generator_of_another_kind_is_refused(folders, load, tmp_path):
    for name, got in (("recogniser", "musemo_vit"), ("discriminator", "MusemoGanDiscriminator")):
        with pytest.raises(ValueError, match=f"expected a generator.*got .*{got}"):
            load(folders / name)
    broken = {"{}": "got None", "[1]": "a JSON object", "{": "expected JSON", '{"model_type": "vit"}': "got 'vit'"}
    for text, message in broken.items():
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            load(tmp_path)


def test_a_pipeline_with_a_wrong_part_is_refused(folders, tmp_path):
    shutil.copytree(folders / "pipeline", tmp_path / "pipeline")
    shutil.rmtree(tmp_path / "pipeline/generator")
    shutil.copytree(folders / "recogniser", tmp_path / "pipeline/generator")
    with pytest.raises(ValueError, match="expected a generator"):
        MusemoPipeline.from_pretrained(tmp_path / "pipeline")
    for named in ("StableDiffusionPipeline", ["pipeline", "Other"], None, 3):
        (tmp_path / "pipeline/model_index.json").write_text(json.dumps({"_class_name": named}))
        with pytest.raises(ValueError, match="expected a MusemoPipeline"):
            MusemoPipeline.from_pretrained(tmp_path / "pipeline")


def test_the_classes_of_transformers_refuse_each_others_folders(folders):
    for cls, name in (
        (MusemoViTForEmotionRegression, "flow/gan"),
        (MusemoGanGenerator, "recogniser"),
        (MusemoGanDiscriminator, "recogniser"),
        (MusemoViTConfig, "discriminator"),
    ):
        with pytest.raises(ValueError, match="expected the configuration of a musemo_"):
            cls.from_pretrained(folders / name)


def test_the_settings_of_another_feature_extractor_are_refused(folders, tmp_path):
    ignored = shutil.ignore_patterns("SHA256SUMS")  # the change is meant
    shutil.copytree(folders / "flow/gan", tmp_path / "gan", ignore=ignored)
    file = tmp_path / "gan/preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"feature_extractor_type": "ASTFeatureExtractor"}))
    for load in (MusemoPipeline, MusemoFeatureExtractor):
        with pytest.raises(ValueError, match=r"expected the configuration of a MusemoFeatureExtractor, got .*AST"):
            load.from_pretrained(tmp_path / "gan")
