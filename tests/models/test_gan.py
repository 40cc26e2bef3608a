import copy

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from musemo_hf import MusemoGanConfig, MusemoGanDiscriminator, MusemoGanGenerator
from musemo_hf.models.gan import PRESETS
from musemo_hf.models.gan.blocks_gan import StyleGroupNorm

HAPPY = torch.tensor([[0.8, 0.7]])
EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6], [0.0, 0.0]])


def one_step(config, batch=1):
    """A training step of both networks on random clips; returns them and the losses."""
    torch.manual_seed(0)
    generator, discriminator = MusemoGanGenerator(config), MusemoGanDiscriminator(config)
    optimizers = [torch.optim.Adam(model.parameters(), 1e-3) for model in (generator, discriminator)]
    emotion, noise = torch.rand(batch, 2) * 2 - 1, torch.randn(batch, config.noise_dim)
    real = torch.rand(batch, 1, config.n_mels, config.n_frames) * 2 - 1
    bce = torch.nn.functional.binary_cross_entropy_with_logits

    fake = generator(emotion=emotion, noise=noise).spectrogram
    real_logits = discriminator(spectrogram=real, emotion=emotion).logits
    fake_logits = discriminator(spectrogram=fake.detach(), emotion=emotion).logits
    discriminator_loss = bce(real_logits, torch.full_like(real_logits, 0.9)) + bce(fake_logits, torch.zeros(batch))
    discriminator_loss.backward()
    optimizers[1].step()

    generator_loss = bce(discriminator(spectrogram=fake, emotion=emotion).logits, torch.ones(batch))
    optimizers[0].zero_grad()
    generator_loss.backward()
    optimizers[0].step()
    return generator, discriminator, [generator_loss.item(), discriminator_loss.item()], fake


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("n_frames", [16, 100, 431, 432, 1292])
def test_any_number_of_frames(gan_config, preset, n_frames):
    config = gan_config(preset=preset, n_frames=n_frames, attention_stage=None if n_frames < 400 else -1)
    mels = MusemoGanGenerator(config).generate(EMOTIONS, seed=0)
    assert mels.shape == (3, 1, 128, n_frames)
    assert mels.abs().max() <= 1
    logits = MusemoGanDiscriminator(config)(spectrogram=mels, emotion=EMOTIONS).logits
    assert logits.shape == (3,)


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("n_frames", [31, 33, 48])
def test_the_discriminator_sees_first_and_last_frame(gan_config, preset, n_frames):
    config = gan_config(preset=preset, n_frames=n_frames)
    model = MusemoGanDiscriminator(config).eval()
    mel = torch.zeros(1, 1, 128, n_frames)
    before = model(spectrogram=mel, emotion=HAPPY).logits
    for frame in (0, n_frames - 1):
        changed = mel.clone()
        changed[..., frame] = 1.0
        assert not torch.equal(model(spectrogram=changed, emotion=HAPPY).logits, before)


@pytest.mark.parametrize("n_frames", [431, 1292])
def test_every_frame_of_the_generator_is_made(gan_config, n_frames):
    mel = MusemoGanGenerator(gan_config(n_frames=n_frames, attention_stage=-1)).generate(HAPPY, seed=0)[0, 0]
    assert (mel.std(dim=0) > 0).all()  # no frame is padding


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_training_step_at_128_x_1292(gan_config, preset):
    config = gan_config(preset=preset, n_frames=1292, generator_channels=64, group_norm_groups=8)
    generator, discriminator, losses, fake = one_step(config)
    assert fake.shape == (1, 1, 128, 1292)
    assert np.isfinite(losses).all()
    for model in (generator, discriminator):
        assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_full_size_forward_at_128_x_1292():
    config = MusemoGanConfig()
    assert (config.generator_channels, config.n_frames, config.padded_frames) == (256, 1292, 1296)
    mel = MusemoGanGenerator(config).generate(HAPPY, seed=0)
    assert mel.shape == (1, 1, 128, 1292)
    with torch.no_grad():
        assert torch.isfinite(MusemoGanDiscriminator(config)(spectrogram=mel, emotion=HAPPY).logits).all()


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_step_moves_every_parameter(gan_config, preset):
    config = gan_config(preset=preset)
    torch.manual_seed(0)
    start = MusemoGanGenerator(config).state_dict(), MusemoGanDiscriminator(config).state_dict()
    generator, discriminator, _, _ = one_step(config, batch=4)
    for before, model in zip(start, (generator, discriminator), strict=True):
        for name, parameter in model.named_parameters():
            # while the gate is 0, what it gates has no gradient
            gated = name.startswith(("attention.qkv", "attention.out", "attention.norm"))
            assert gated or not torch.equal(parameter, before[name]), name


def test_the_generator_learns_through_the_gate(gan_config):
    model = MusemoGanGenerator(gan_config())
    torch.nn.init.ones_(model.attention.gate)
    model(emotion=EMOTIONS, noise=torch.randn(3, 100)).spectrogram.square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.attention.parameters())


def test_sample_i_is_the_same_in_any_batch(gan_config):
    model = MusemoGanGenerator(gan_config())
    batch = model.generate(EMOTIONS, seed=7)
    listed = model.generate(EMOTIONS, seed=[7, 8, 9])
    assert torch.equal(batch, listed)
    for i in range(3):
        torch.testing.assert_close(model.generate(EMOTIONS[i : i + 1], seed=7 + i), batch[i : i + 1])


def test_seeds(gan_config):
    model = MusemoGanGenerator(gan_config())
    assert torch.equal(model.generate(HAPPY, seed=3), model.generate(HAPPY, seed=np.int64(3)))
    assert not torch.equal(model.generate(HAPPY, seed=3), model.generate(HAPPY, seed=4))
    assert not torch.equal(model.generate(HAPPY), model.generate(HAPPY))
    noise = model.sample_noise(1, 3)
    assert torch.equal(model.generate(HAPPY, noise=noise), model.generate(HAPPY, seed=3))


def test_a_seed_leaves_the_global_generator_alone(gan_config):
    model = MusemoGanGenerator(gan_config())
    before = torch.get_rng_state()
    model.generate(HAPPY, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_emotion_and_noise_both_matter(gan_config):
    model = MusemoGanGenerator(gan_config())
    noise = model.sample_noise(1, 0)
    assert not torch.allclose(model.generate(HAPPY, noise=noise), model.generate(-HAPPY, noise=noise), atol=1e-4)
    assert not torch.allclose(model.generate(HAPPY, seed=0), model.generate(HAPPY, seed=1), atol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_generate_restores_the_mode_and_keeps_no_gradient(gan_config, training):
    model = MusemoGanGenerator(gan_config()).train(training)
    mel = model.generate(HAPPY.clone().requires_grad_(), seed=0)
    assert model.training is training
    assert not mel.requires_grad
    with pytest.raises(ValueError, match="expected valence"):
        model.generate(HAPPY * 3)
    assert model.training is training


BAD_EMOTIONS = {
    "nan": (torch.tensor([[float("nan"), 0.0]]), "expected finite valence and arousal"),
    "infinite": (torch.tensor([[0.0, float("inf")]]), "expected finite valence and arousal"),
    "out of range": (torch.tensor([[0.0, 1.2]]), r"in \[-1, 1\], got values from 0 to 1.2"),
    "below the range": (torch.tensor([[0.0, -1.2]]), r"in \[-1, 1\], got values from -1.2 to 0$"),
    "ends of one to nine": (torch.tensor([[1.0, 9.0]]), r"got values from 1 to 9; DEAM's 1-9 maps by"),
    "below one": (torch.tensor([[0.5, 7.0]]), r"got values from 0.5 to 7$"),
    "above nine": (torch.tensor([[5.0, 9.5]]), r"got values from 5 to 9.5$"),
    "one to nine": (torch.tensor([[5.0, 7.0]]), r"got values from 5 to 7; DEAM's 1-9 maps by \(x - 5\) / 4"),
    "one pair": (torch.tensor([0.1, 0.2]), r"expected emotion of shape \(B, 2\).*got \(2,\)"),
    "three values": (torch.zeros(1, 3), r"expected emotion of shape \(B, 2\).*got \(1, 3\)"),
    "none": (torch.zeros(0, 2), r"expected emotion of shape \(B, 2\).*got \(0, 2\)"),
    "scalar": (0.5, r"expected emotion of shape \(B, 2\).*got \(\)"),
    "a list too deep": ([[[0.1, 0.2]]], r"got \(1, 1, 2\)"),
}


@pytest.mark.parametrize("name", BAD_EMOTIONS)
def test_refuses_bad_emotions(gan_config, name):
    emotion, message = BAD_EMOTIONS[name]
    with pytest.raises(ValueError, match=message):
        MusemoGanGenerator(gan_config()).generate(emotion, seed=0)


def test_refuses_bad_noise_and_seeds(gan_config):
    model = MusemoGanGenerator(gan_config())
    with pytest.raises(ValueError, match=r"expected noise of shape \(1, 100\), got \(2, 100\)"):
        model.generate(HAPPY, noise=torch.randn(2, 100))
    with pytest.raises(ValueError, match="expected seed or noise, got both"):
        model.generate(HAPPY, seed=0, noise=torch.randn(1, 100))
    with pytest.raises(ValueError, match="expected one seed, or 3 of them, got 2"):
        model.generate(EMOTIONS, seed=[0, 1])


def test_the_discriminator_refuses_another_shape(gan_config):
    model = MusemoGanDiscriminator(gan_config())
    with pytest.raises(ValueError, match=r"expected spectrogram of shape \(B, 1, 128, 32\), got \(1, 1, 128, 33\)"):
        model(spectrogram=torch.zeros(1, 1, 128, 33), emotion=HAPPY)


def test_the_output_does_not_depend_on_the_rest_of_the_batch(gan_config):
    config = gan_config()
    torch.manual_seed(0)
    generator, discriminator = MusemoGanGenerator(config).train(), MusemoGanDiscriminator(config).eval()
    noise, others = torch.randn(3, 100), torch.randn(3, 100) * 5
    others[0] = noise[0]
    first, second = (generator(emotion=EMOTIONS, noise=z).spectrogram for z in (noise, others))
    torch.testing.assert_close(first[0], second[0])
    first, second = (discriminator(spectrogram=mel, emotion=EMOTIONS).logits for mel in (first, second))
    torch.testing.assert_close(first[0], second[0])


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("model_class", [MusemoGanGenerator, MusemoGanDiscriminator])
def test_saved_and_loaded_bit_for_bit(gan_config, tmp_path, preset, model_class, assert_same_output):
    models = one_step(gan_config(preset=preset, n_frames=48), batch=2)  # spectral norm has moved its vectors
    model = models[0] if model_class is MusemoGanGenerator else models[1]
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    loaded = model_class.from_pretrained(tmp_path)
    assert loaded.config.to_dict()["preset"] == preset
    for other in (loaded, copy.deepcopy(model)):
        assert set(other.state_dict()) == set(model.state_dict())
        assert all(torch.equal(other.state_dict()[name], value) for name, value in model.state_dict().items())
    if model_class is MusemoGanDiscriminator:
        mel = torch.rand(2, 1, 128, 48)
        outputs = [m.eval()(spectrogram=mel, emotion=EMOTIONS[:2]).logits for m in (model, loaded)]
        assert_same_output(*outputs)
        assert any("_u" in name for name in model.state_dict()) == (preset == "enhanced")
    else:
        assert_same_output(model.generate(EMOTIONS, seed=0), loaded.generate(EMOTIONS, seed=0))


def test_auto_model(gan_config, tmp_path, assert_same_output):
    model = MusemoGanGenerator(gan_config())
    model.save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), MusemoGanConfig)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert isinstance(loaded, MusemoGanGenerator)
    assert_same_output(loaded.generate(HAPPY, seed=0), model.generate(HAPPY, seed=0))


def test_weights_missing_from_a_checkpoint_are_refused_or_initialised_not_garbage(gan_config, tmp_path):
    from safetensors.torch import load_file, save_file

    model = MusemoGanGenerator(gan_config())
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file(
        {name: value for name, value in weights.items() if not name.startswith(("attention", "norm", "to_mel"))},
        tmp_path / "model.safetensors",
        {"format": "pt"},
    )
    (tmp_path / "SHA256SUMS").unlink()
    with pytest.raises(ValueError, match=r"expected all values of a MusemoGanGenerator, got none of attention\.gate"):
        MusemoGanGenerator.from_pretrained(tmp_path)
    loaded, info = MusemoGanGenerator.from_pretrained(tmp_path, output_loading_info=True)
    assert {"attention.gate", "norm.weight", "to_mel.bias"} < info["missing_keys"]
    assert loaded.attention.gate.item() == 0
    assert (loaded.norm.weight == 1).all()
    assert torch.equal(loaded.project.weight, model.project.weight)
    assert torch.isfinite(loaded.generate(HAPPY, seed=0)).all()


def test_spectral_norm_bounds_every_layer(gan_config):
    model = MusemoGanDiscriminator(gan_config())
    for _ in range(30):  # power iterations
        model(spectrogram=torch.rand(2, 1, 128, 32), emotion=EMOTIONS[:2])
    for layer in [*model.stages, model.last, model.read_out, model.embed_emotion]:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_presets_differ_as_published(gan_config):
    simple, enhanced = (MusemoGanGenerator(gan_config(preset=name)) for name in ("simple", "enhanced"))
    assert simple.attention is None
    assert enhanced.attention is not None
    assert isinstance(simple.embed_emotion, torch.nn.Linear)
    assert [layer.out_features for layer in enhanced.embed_emotion if hasattr(layer, "out_features")] == [128, 256]
    assert enhanced.project.in_features == 356


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_attention_at_every_stage(gan_config, stage):
    model = MusemoGanGenerator(gan_config(attention_stage=stage))
    plain = model.generate(HAPPY, seed=0)
    torch.nn.init.constant_(model.attention.gate, 2.0)
    assert not torch.equal(model.generate(HAPPY, seed=0), plain)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "fancy"}, "expected preset to be one of"),
        ({"upsampling": "bicubic"}, "expected upsampling to be one of"),
        ({"n_mels": 100}, "expected n_mels to be a multiple of 16, got 100"),
        ({"n_frames": 15}, "expected n_frames of at least 16, got 15"),
        ({"attention_stage": 3}, r"expected attention_stage to be -1 \(none\), 0, 1 or 2, got 3"),
        ({"generator_channels": 60}, "multiple of 8"),
    ],
)
def test_configuration_refuses(gan_config, changes, message):
    with pytest.raises(ValueError, match=message):
        gan_config(**changes)


def test_a_value_overrides_its_preset(gan_config, tmp_path):
    config = gan_config(preset="enhanced", spectral_norm=False, attention_stage=-1)
    config.save_pretrained(tmp_path)
    loaded = MusemoGanConfig.from_pretrained(tmp_path)
    assert (loaded.spectral_norm, loaded.attention_stage, loaded.upsampling) == (False, -1, "residual")


@pytest.mark.parametrize(("channels", "style_dim"), [(8, 0), (16, 5), (32, 5)])
def test_a_normalisation_in_bfloat16_is_that_of_float32(channels, style_dim):
    torch.manual_seed(0)
    norm = StyleGroupNorm(4, channels, style_dim)
    style = torch.randn(2, style_dim) if style_dim else None
    clips = (3 * torch.randn(2, channels, 8, 12) + 1).to(memory_format=torch.channels_last)
    towards, results = torch.randn(clips.shape), {}
    for dtype in (torch.float32, torch.bfloat16):
        hidden = clips.to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            made = norm(hidden, style)
        (gradient,) = torch.autograd.grad((towards * made).sum(), hidden)
        assert made.dtype == gradient.dtype == dtype
        assert made.is_contiguous(memory_format=torch.channels_last)
        results[dtype] = made.float(), gradient.float()
    for expected, rounded in zip(*results.values(), strict=True):
        assert (rounded - expected).norm() < 0.01 * expected.norm()
