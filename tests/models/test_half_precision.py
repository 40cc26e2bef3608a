"""float16 and bfloat16: every model, loaded or cast, within the tolerances of float32 below."""

import numpy as np
import pytest
import torch

from musemo_hf import (
    MusemoFeatureExtractor,
    MusemoGanDiscriminator,
    MusemoGanGenerator,
    MusemoPipeline,
    MusemoUNetGenerator,
    MusemoViTForEmotionRegression,
    embedded_checkpoint,
)
from musemo_hf.pipelines.emotion_path import emotion_path
from musemo_hf.pipelines.music_to_emotion import MusicToEmotionPipeline

HALF = [torch.bfloat16, torch.float16]
EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6]])
# the largest difference of an emotion on [-1, 1], and the mean difference of log-mels in dB, of the packaged models
EMOTION_TOLERANCE = {torch.bfloat16: 5e-3, torch.float16: 1e-3}
MEL_TOLERANCE = {torch.bfloat16: 0.3, torch.float16: 0.05}


def in_db(first, second):
    """The mean absolute difference of normalised log-mels in dB."""
    return 50 * (first.float() - second.float()).abs().mean().item()


@pytest.fixture(scope="module")
def mels():
    generator = MusemoGanGenerator.from_pretrained(embedded_checkpoint("generator"))
    return generator.generate(EMOTIONS, seed=0)


@pytest.fixture(scope="module")
def emotion(mels):
    with torch.no_grad():
        return MusemoViTForEmotionRegression.from_pretrained(embedded_checkpoint("recogniser"))(mels).emotion


@pytest.mark.parametrize("dtype", HALF)
def test_every_model_runs_where_it_is_loaded_in_half_precision(case, dtype, tmp_path):
    model = case.model()
    model.save_pretrained(tmp_path)
    loaded = case.model_class.from_pretrained(tmp_path, dtype=dtype)
    assert loaded.dtype == dtype
    with torch.no_grad():
        expected = model(**case.inputs)[0]
        for half in (loaded, case.model().to(dtype)):
            for inputs in (case.inputs, {name: value.to(dtype) for name, value in case.inputs.items()}):
                found = half(**inputs)[0]
                assert torch.isfinite(found).all()
                assert (found.float() - expected).abs().mean() < 0.05 * (1 + expected.abs().mean())
    if dtype == torch.float16:  # whose gradients overflow where a loss is not scaled
        return
    case.loss(loaded.train()(**case.inputs, **case.labels)).backward()
    assert all(torch.isfinite(value.grad).all() for value in loaded.parameters() if value.grad is not None)


@pytest.mark.parametrize("dtype", HALF)
def test_the_recogniser(dtype, mels, emotion):
    load = MusemoViTForEmotionRegression.from_pretrained
    folder = embedded_checkpoint("recogniser")
    for model in (load(folder, dtype=dtype), load(folder).to(dtype).eval()):
        assert {value.dtype for value in model.kernel.parameters()} == {torch.float32}
        with torch.no_grad():
            found = model(mels).emotion
        assert (found - emotion).abs().max() < EMOTION_TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", HALF)
def test_the_songs_of_a_kernel_head_are_not_rounded(dtype, tmp_path):
    folder = embedded_checkpoint("recogniser")

    def songs(model):
        return torch.cat([group.clips.float() for group in model.kernel.groups.values()], dim=1)

    expected = songs(MusemoViTForEmotionRegression.from_pretrained(folder))
    loaded = MusemoViTForEmotionRegression.from_pretrained(folder, dtype=dtype)
    assert torch.equal(songs(loaded), expected)
    loaded.save_pretrained(tmp_path)
    again = MusemoViTForEmotionRegression.from_pretrained(tmp_path)
    assert torch.equal(songs(again), expected)
    assert torch.equal(songs(again.to(torch.bfloat16).to(torch.float16)), expected)


@pytest.mark.parametrize("dtype", HALF)
def test_the_gan(dtype, mels):
    folder = embedded_checkpoint("generator")
    generated = MusemoGanGenerator.from_pretrained(folder, dtype=dtype).generate(EMOTIONS, seed=0)
    assert in_db(generated, mels) < MEL_TOLERANCE[dtype]
    logits = []
    for options in ({}, {"dtype": dtype}):
        critic = MusemoGanDiscriminator.from_pretrained(f"{folder}/discriminator", **options)
        with torch.no_grad():
            logits.append(critic(mels, EMOTIONS).logits.float())
    assert (logits[0] - logits[1]).abs().max() < 0.02


@pytest.mark.parametrize("dtype", HALF)
def test_the_flow(dtype):
    load, folder = MusemoUNetGenerator.from_pretrained, embedded_checkpoint("flow")
    options = {"seed": 0, "num_inference_steps": 2}
    expected = load(folder).generate(EMOTIONS, **options)
    for flow in (load(folder, torch_dtype=dtype), load(folder).to(dtype)):
        assert flow.dtype == dtype
        assert {value.dtype for value in flow.parameters()} == {dtype}
        assert {value.dtype for value in flow.buffers()} == {torch.float32}  # fitted values, also those not stored
        generated = flow.generate(EMOTIONS, **options)
        assert generated.dtype == torch.float32
        assert in_db(generated, expected) < MEL_TOLERANCE[dtype]


def test_double_precision_is_obeyed_everywhere():
    flow = MusemoUNetGenerator.from_pretrained(embedded_checkpoint("flow"), torch_dtype=torch.float64)
    assert {value.dtype for value in [*flow.parameters(), *flow.buffers()]} == {torch.float64}
    assert flow.generate(EMOTIONS[:1], seed=0, num_inference_steps=1).dtype == torch.float64


@pytest.mark.parametrize("name", ["generator", "flow"])
@pytest.mark.parametrize("dtype", HALF)
def test_the_pipeline_of_music(name, dtype):
    options = {"valence": 0.8, "arousal": 0.7, "seed": 0, "n_iter": 2}
    options |= {"num_inference_steps": 2} if name == "flow" else {}
    songs = []
    for half in (False, True):
        pipe = MusemoPipeline.from_pretrained(embedded_checkpoint(name))
        pipe.set_progress_bar_config(disable=True)
        songs.append((pipe.to(dtype) if half else pipe)(**options))
    assert songs[1].audio.dtype == np.float32
    assert np.abs(songs[0].spectrogram - songs[1].spectrogram).mean() < MEL_TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", HALF)
def test_emotion_path_and_the_pipeline_of_emotion(dtype):
    folder = embedded_checkpoint("recogniser")
    extractor = MusemoFeatureExtractor.from_pretrained(folder)
    time = np.arange(12 * 22050) / 22050
    sound = (0.3 * np.sin(2 * np.pi * 220 * time) * (1 + np.sin(2 * np.pi * 2 * time)) / 2).astype(np.float32)
    paths, emotions = [], []
    for options in ({}, {"dtype": dtype}):
        model = MusemoViTForEmotionRegression.from_pretrained(folder, **options)
        paths.append(emotion_path(model, extractor, sound, 22050).mean)
        recognise = MusicToEmotionPipeline(model=model, feature_extractor=extractor)
        answer = recognise(sound, sampling_rate=22050)
        emotions.append([answer["valence"], answer["arousal"]])
    assert np.abs(paths[0] - paths[1]).max() < EMOTION_TOLERANCE[dtype]
    assert np.abs(np.subtract(*emotions)).max() < EMOTION_TOLERANCE[dtype]
