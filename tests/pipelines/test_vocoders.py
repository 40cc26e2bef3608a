"""The vocoder of a pipeline: loaded from a folder or another pipeline, saved and loaded again, or refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from bigvgan import BigVGAN
from bigvgan.env import AttrDict
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import SpeechT5HifiGan

from musemo_hf import MusemoFeatureExtractor, MusemoGanConfig, MusemoGanGenerator, MusemoPipeline, MusemoVocoder
from musemo_hf.pipelines.vocoders.load import load_vocoder

GAN = MusemoGanConfig(n_frames=32, generator_channels=16, discriminator_channels=4, group_norm_groups=2)
BIGVGAN = {"sampling_rate": 22050, "num_mels": 80, "hop_size": 256, "n_fft": 1024, "fmin": 0, "fmax": 8000}
BIGVGAN |= {"upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8], "upsample_initial_channel": 16}
BIGVGAN |= {"resblock": "1", "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]]}
BIGVGAN |= {"activation": "snakebeta", "snake_logscale": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_vocoder):
    """A generator, a vocoder of AudioLDM's grid in `vocoder/`, as in its pipelines, and a BigVGAN."""
    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    MusemoGanGenerator(GAN).save_pretrained(root / "gan")
    MusemoFeatureExtractor(n_frames=32).save_pretrained(root / "gan")
    tiny_vocoder(64, 16000, (5, 4, 2, 2, 2)).save_pretrained(root / "audioldm/vocoder")
    (root / "audioldm/model_index.json").write_text('{"_class_name": "AudioLDMPipeline"}')
    (root / "bigvgan").mkdir()
    BigVGAN(AttrDict(BIGVGAN))._save_pretrained(root / "bigvgan")
    return root


def quiet(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_a_pipeline_plays_by_its_vocoder_and_is_saved_with_it(folder, tmp_path):
    plain = quiet(MusemoPipeline.from_pretrained(folder / "gan"))
    pipe = quiet(MusemoPipeline.from_pretrained(folder / "gan", vocoder=folder / "audioldm"))
    assert plain.vocoder is None
    assert isinstance(pipe.vocoder, SpeechT5HifiGan)
    song, griffin_lim = pipe(0.8, 0.7, seed=0).songs[0], plain(0.8, 0.7, seed=0).songs[0]
    np.testing.assert_array_equal(song.spectrogram, griffin_lim.spectrogram)
    assert song.audio.shape == griffin_lim.audio.shape
    assert np.abs(song.audio - griffin_lim.audio).max() > 0.01
    mel = pipe.generator.generate([[0.8, 0.7]], seed=0)
    np.testing.assert_array_equal(pipe.to_audio(mel)[0].numpy(), song.audio)
    np.testing.assert_array_equal(plain.to_audio(mel, n_iter=32)[0].numpy(), griffin_lim.audio)
    np.testing.assert_array_equal(pipe.feature_extractor.invert(mel)[0].numpy(), griffin_lim.audio)

    pipe.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "model_index.json").read_text())["vocoder"] == ["transformers", "SpeechT5HifiGan"]
    for loaded in (MusemoPipeline.from_pretrained(tmp_path), DiffusionPipeline.from_pretrained(tmp_path)):
        np.testing.assert_allclose(quiet(loaded)(0.8, 0.7, seed=0).songs[0].audio, song.audio, atol=1e-5)
    without = quiet(MusemoPipeline.from_pretrained(tmp_path, vocoder=None))
    np.testing.assert_allclose(without(0.8, 0.7, seed=0).songs[0].audio, griffin_lim.audio, atol=1e-5)


def test_our_own_vocoder_is_saved_with_a_pipeline(folder, tmp_path):
    torch.manual_seed(0)
    MusemoVocoder(channels=8, layers=1, refinement=2).save_pretrained(tmp_path / "own")
    pipe = quiet(MusemoPipeline.from_pretrained(folder / "gan", vocoder=tmp_path / "own"))
    song = pipe(0.8, 0.7, seed=0).songs[0]
    pipe.save_pretrained(tmp_path / "pipe")
    index = json.loads((tmp_path / "pipe/model_index.json").read_text())
    assert index["vocoder"] == ["musemo_hf", "MusemoVocoder"]
    for loaded in (
        MusemoPipeline.from_pretrained(tmp_path / "pipe"),
        DiffusionPipeline.from_pretrained(tmp_path / "pipe"),
    ):
        np.testing.assert_allclose(quiet(loaded)(0.8, 0.7, seed=0).songs[0].audio, song.audio, atol=1e-5)
    half = load_vocoder(tmp_path / "pipe/vocoder", torch.float16)
    assert half.dtype == torch.float16
    weights = tmp_path / "own/diffusion_pytorch_model.safetensors"
    values = load_file(weights)
    del values["to_phase.bias"]
    save_file(values, weights, metadata={"format": "pt"})
    (tmp_path / "own/SHA256SUMS").unlink()
    with pytest.raises(ValueError, match=r"expected all weights of a vocoder, got none of to_phase\.bias"):
        load_vocoder(tmp_path / "own")


def test_a_pipeline_without_a_vocoder_is_loaded_by_diffusers_too(folder, tmp_path):
    MusemoPipeline.from_pretrained(folder / "gan").save_pretrained(tmp_path)
    assert not (tmp_path / "vocoder").exists()
    assert DiffusionPipeline.from_pretrained(tmp_path).vocoder is None
    index = json.loads((tmp_path / "model_index.json").read_text())
    del index["vocoder"]  # as it was saved before pipelines had vocoders
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    assert MusemoPipeline.from_pretrained(tmp_path).vocoder is None


def test_the_type_of_the_weights(folder, tmp_path):
    MusemoPipeline.from_pretrained(folder / "gan", vocoder=folder / "audioldm").save_pretrained(tmp_path)
    half = MusemoPipeline.from_pretrained(tmp_path, dtype=torch.float16)
    assert half.vocoder.dtype == half.generator.dtype == torch.float16
    mixed = MusemoPipeline.from_pretrained(tmp_path, dtype={"vocoder": torch.bfloat16, "default": torch.float32})
    assert (mixed.vocoder.dtype, mixed.generator.dtype) == (torch.bfloat16, torch.float32)
    assert torch.isfinite(mixed.to_audio(torch.zeros(1, 128, 32))).all()


def test_a_walk_is_played_by_the_vocoder(folder):
    pipe = MusemoPipeline.from_pretrained(folder / "gan", vocoder=folder / "audioldm")
    walk = pipe.walk((-0.8, -0.6), (0.8, 0.7), steps=2, seed=2)
    np.testing.assert_allclose(walk.songs[0].audio, quiet(pipe)(-0.8, -0.6, seed=2).songs[0].audio, atol=1e-4)


def test_a_bigvgan_plays_and_is_not_saved_with_a_pipeline(folder, tmp_path):
    vocoder = load_vocoder(folder / "bigvgan")
    assert isinstance(vocoder, BigVGAN)
    pipe = quiet(MusemoPipeline.from_pretrained(folder / "gan", vocoder=vocoder))
    song = pipe(0.8, 0.7, seed=0).songs[0]
    assert song.audio.std() > 0
    mel = pipe.generator.generate([[0.8, 0.7]], seed=0)
    np.testing.assert_array_equal(pipe.feature_extractor.invert(mel, vocoder=vocoder)[0].numpy(), song.audio)
    with pytest.raises(TypeError, match="expected a MusemoVocoder or a SpeechT5HifiGan as the vocoder of a saved"):
        pipe.save_pretrained(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_bigvgan_without_weight_norm_or_with_other_weights(folder, tmp_path):
    """The published weights have it removed."""
    shutil.copytree(folder / "bigvgan", tmp_path / "bigvgan")
    normed = load_vocoder(folder / "bigvgan")
    plain = load_vocoder(folder / "bigvgan")
    plain.remove_weight_norm()
    values = {name: value for name, value in plain.state_dict().items()}
    torch.save({"generator": values}, tmp_path / "bigvgan/bigvgan_generator.pt")
    loaded, mel = load_vocoder(tmp_path / "bigvgan"), torch.zeros(1, 80, 9)
    with torch.no_grad():
        torch.testing.assert_close(loaded(mel), normed(mel))
    del values["conv_post.weight"]
    torch.save({"generator": values}, tmp_path / "bigvgan/bigvgan_generator.pt")
    with pytest.raises(ValueError, match="expected all weights of a BigVGAN and no others"):
        load_vocoder(tmp_path / "bigvgan")


def test_another_model_is_no_vocoder(folder):
    with pytest.raises(
        ValueError, match=r"expected a vocoder \(MusemoVocoder, SpeechT5HifiGan or BigVGAN\) at .*, got 'musemo_gan'"
    ):
        load_vocoder(folder / "gan")
    with pytest.raises(TypeError, match="expected a vocoder such as SpeechT5HifiGan, got Linear"):
        MusemoPipeline.from_pretrained(folder / "gan", vocoder=torch.nn.Linear(2, 2))


def test_a_folder_without_a_configuration_or_weights(folder, tmp_path):
    with pytest.raises(
        OSError, match=r"expected a vocoder with config.json at .* or in its folder vocoder, found none"
    ):
        load_vocoder(tmp_path)
    for name in ("audioldm", "bigvgan"):
        shutil.copytree(folder / name, tmp_path / name)
        for weights in [*(tmp_path / name).rglob("*.safetensors"), *(tmp_path / name).rglob("*.pt")]:
            weights.unlink()
        with pytest.raises(OSError, match=r"^expected the weights of a vocoder at .*: [^\n]+$"):
            load_vocoder(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda values: values.pop("conv_post.weight"),
            "expected all weights of a vocoder, got none of conv_post.weight",
        ),
        (
            lambda values: values["conv_pre.bias"].fill_(float("nan")),
            "expected finite weights, got NaN or infinity in conv",
        ),
    ],
)
def test_weights_that_are_incomplete_or_no_numbers(folder, tmp_path, change, message):
    shutil.copytree(folder / "audioldm/vocoder", tmp_path / "vocoder")
    values = load_file(tmp_path / "vocoder/model.safetensors")
    change(values)
    save_file(values, tmp_path / "vocoder/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=message):
        load_vocoder(tmp_path / "vocoder")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_configuration_that_is_no_object(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"expected (JSON, got|a JSON object, got list)"):
        load_vocoder(tmp_path)


def test_a_vocoder_of_an_unknown_grid_is_refused_when_it_is_loaded(tiny_vocoder, tmp_path):
    tiny_vocoder(96, 22050, (8, 8, 4)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="expected a vocoder of a known grid, got 96 bands with a hop of 256 at 22050"):
        load_vocoder(tmp_path)
