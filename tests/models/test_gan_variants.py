"""The values of the configuration beyond the published presets."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTModel,
    AutoModel,
    ClapConfig,
    Wav2Vec2Config,
    Wav2Vec2Model,
)

from musemo_hf import (
    MusemoGanConfig,
    MusemoGanDiscriminator,
    MusemoGanGenerator,
    MusemoViTForEmotionRegression,
    embedded_checkpoint,
)
from musemo_hf.audio.decoding import resample
from musemo_hf.audio.mel import log_mel, normalise
from musemo_hf.models.gan import FrozenFeatures, pretrained_config
from musemo_hf.models.gan.blocks_gan import StyleGroupNorm
from musemo_hf.models.gan.frozen_gan import as_filter_banks
from musemo_hf.models.gan.waveform_gan import as_waveform

EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6], [0.0, 0.0]])
VARIANTS = {
    "modern": {"preset": "modern"},
    "projection": {"conditioning": "projection"},
    "scales": {"scales": 2},
    "modulation": {"modulation": True},
    "modulated DCGAN": {"preset": "simple", "modulation": True},
    "shuffle": {"upsampling": "shuffle"},
    "patch stem": {"stem": "patch"},
    "transformer": {"generator_network": "transformer"},
    "columns": {"preset": "modern", "column_noise_dim": 4},
}


@pytest.fixture
def variant(gan_config):
    def make(name, **changes):
        small = {"transformer_dim": 16, "transformer_layers": 2}
        return gan_config(**(small | VARIANTS[name] | changes))

    return make


@pytest.fixture(scope="module")
def pretrained(vit_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    MusemoViTForEmotionRegression(vit_config(n_frames=32)).save_pretrained(folder / "vit")
    tiny = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    ASTModel(ASTConfig(**tiny, max_length=64, num_mel_bins=32)).save_pretrained(folder / "ast")
    layers = {"conv_dim": [8, 8], "conv_kernel": [10, 8], "conv_stride": [5, 64], "num_conv_pos_embedding_groups": 2}
    wav2vec2 = Wav2Vec2Config(**tiny, **layers, num_conv_pos_embeddings=4, mask_time_prob=0.9)
    Wav2Vec2Model(wav2vec2).save_pretrained(folder / "wav2vec2")
    ClapConfig().save_pretrained(folder / "clap")
    return folder


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("n_frames", [32, 45])
def test_shapes_and_gradients(variant, name, n_frames):
    config = variant(name, n_frames=n_frames)
    generator, discriminator = MusemoGanGenerator(config), MusemoGanDiscriminator(config)
    noise = torch.randn(3, generator.noise_dim)
    mel = generator(emotion=EMOTIONS, noise=noise).spectrogram
    assert mel.shape == (3, 1, 128, n_frames)
    assert mel.abs().max() <= 1
    output = discriminator(spectrogram=mel, emotion=EMOTIONS, output_features=True)
    assert output.logits.shape == ((3, 2) if name == "scales" else (3,))
    assert all(feature.ndim == 2 and len(feature) == 3 for feature in output.features)
    output.logits.sum().backward()
    for network in (generator, discriminator):
        for parameter_name, parameter in network.named_parameters():
            silent = parameter_name.startswith("attention.")  # behind a gate of 0
            assert silent or parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", VARIANTS)
def test_saved_and_loaded_bit_for_bit(variant, tmp_path, name, assert_same_output):
    config = variant(name)
    generator, discriminator = MusemoGanGenerator(config), MusemoGanDiscriminator(config)
    shown = torch.rand(len(EMOTIONS), 1, 128, config.n_frames) * 2 - 1
    with torch.no_grad():  # spectral norm estimates norms in training; without, logits of 1e9 would show rounding
        for _ in range(8):
            discriminator.train()(spectrogram=shown, emotion=EMOTIONS)
    generator.save_pretrained(tmp_path / "g")
    discriminator.save_pretrained(tmp_path / "d")
    pairs = [
        (generator, AutoModel.from_pretrained(tmp_path / "g")),
        (discriminator, MusemoGanDiscriminator.from_pretrained(tmp_path / "d")),
    ]
    for made, loaded in pairs:
        assert set(loaded.state_dict()) == set(made.state_dict())
        assert all(torch.equal(loaded.state_dict()[key], value) for key, value in made.state_dict().items())
    mel, again = (network.generate(EMOTIONS, seed=0) for network in pairs[0])
    assert_same_output(again, mel)
    assert_same_output(*(network.eval()(spectrogram=mel, emotion=EMOTIONS).logits for network in pairs[1]))


@pytest.mark.parametrize("name", ["modern", "transformer"])
def test_loaded_without_the_package(variant, tmp_path, name):
    """All files that the code needs go along, and nothing of ours is imported from elsewhere."""
    config = variant(name)
    MusemoGanGenerator.register_for_auto_class("AutoModel")
    type(config).register_for_auto_class()
    try:
        model = MusemoGanGenerator(config)
        model.save_pretrained(tmp_path / "repository")
    finally:
        for registered in (MusemoGanGenerator, type(config)):
            registered._auto_class = None
    script = (
        "import sys, json, torch\n"
        "sys.modules['musemo_hf'] = None\n"  # an import of it fails
        "from transformers import AutoModel\n"
        "model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)\n"
        "mel = model.generate([[0.8, 0.7]], seed=0)\n"
        "print(json.dumps([type(model).__module__, mel.double().sum().item()]))\n"
    )
    environment = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "repository")],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    module, total = json.loads(done.stdout.splitlines()[-1])
    assert module.startswith("transformers_modules")
    assert total == pytest.approx(model.generate([[0.8, 0.7]], seed=0).double().sum().item(), abs=1e-2)


def test_the_embedded_checkpoint_still_loads():
    folder = Path(embedded_checkpoint("generator"))
    stored = json.loads((folder / "config.json").read_text())
    config = MusemoGanGenerator.from_pretrained(folder).config
    assert {name: getattr(config, name) for name in stored if name in ("upsampling", "spectral_norm")} == {
        name: stored[name] for name in ("upsampling", "spectral_norm")
    }
    discriminator = MusemoGanDiscriminator.from_pretrained(folder / "discriminator")
    mel = MusemoGanGenerator.from_pretrained(folder).generate(EMOTIONS[:1], seed=0)
    assert torch.isfinite(discriminator(spectrogram=mel, emotion=EMOTIONS[:1]).logits).all()


@pytest.mark.parametrize("preset", ["simple", "enhanced"])
def test_what_was_added_changes_no_published_preset(preset):
    config = MusemoGanConfig(preset=preset)
    added = ("conditioning", "scales", "stem", "generator_network", "modulation", "pretrained_discriminator")
    assert [getattr(config, name) for name in added] == ["map", 1, "strided", "convolution", False, None]


def test_projection_tells_emotions_apart(variant):
    model = MusemoGanDiscriminator(variant("modern"))
    mel = torch.rand(1, 1, 128, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    gradients = []
    for emotion in (EMOTIONS[:1], EMOTIONS[1:2]):
        clip = mel.clone().requires_grad_()
        model(spectrogram=clip, emotion=emotion).logits.sum().backward()
        gradients.append(clip.grad)
    assert (gradients[0] - gradients[1]).norm() > 0.1 * gradients[0].norm()


def test_projection_is_an_inner_product_of_embedding_and_features(variant):
    model = MusemoGanDiscriminator(variant("modern"))
    mel = torch.rand(3, 1, 128, 32)
    with torch.no_grad():
        output = model(spectrogram=mel, emotion=EMOTIONS, output_features=True)
        pooled = output.features[-1]
        expected = model.read_out(pooled)[:, 0] + (model.embed_emotion(EMOTIONS) * pooled).sum(dim=1)
    torch.testing.assert_close(output.logits, expected)


def test_the_second_scale_sees_half_the_resolution(variant):
    model = MusemoGanDiscriminator(variant("scales", conditioning="projection")).eval()
    mel = torch.zeros(1, 1, 128, 32)
    board = mel.clone()
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = 0.5
    board[..., 1::2, ::2] = board[..., ::2, 1::2] = -0.5  # every 2 x 2 block is 0 on average
    plain, checked = (model(spectrogram=clip, emotion=EMOTIONS[:1]).logits[0] for clip in (mel, board))
    assert not torch.allclose(plain[0], checked[0], atol=1e-6)
    torch.testing.assert_close(plain[1], checked[1])


@pytest.mark.parametrize("name", ["modern", "columns", "transformer"])
def test_noise_reaches_every_stage(variant, name):
    """With the same first layer of activations, another style still makes other music."""
    model = MusemoGanGenerator(variant(name)).eval()
    code = torch.cat([torch.zeros(1, 100), model.embed_emotion(EMOTIONS[:1])], dim=1)
    styles = [model.to_style(code), model.to_style(torch.cat([torch.randn(1, 100), code[:, 100:]], dim=1))]
    local = torch.zeros(1, model.noise_dim - 100)
    network = model.transformer or (lambda code, style: model._convolved(code, style, local))
    raw = [network(code, style) for style in styles]
    assert (raw[0] - raw[1]).abs().mean() > 0.05 * raw[0].abs().mean()


def test_a_style_of_zero_is_a_plain_group_norm():
    norm, hidden = StyleGroupNorm(2, 4, style_dim=3), torch.randn(2, 4, 5, 6)
    torch.nn.init.zeros_(norm.to_scale_and_shift.bias)
    torch.testing.assert_close(norm(hidden, torch.zeros(2, 3)), torch.nn.GroupNorm(2, 4)(hidden))


@pytest.mark.parametrize("kind", ["ast", "vit", "wav2vec2"])
def test_a_pretrained_discriminator(gan_config, pretrained, tmp_path, kind, assert_same_output):
    config = gan_config(preset="modern", pretrained_discriminator=str(pretrained / kind))
    model = MusemoGanDiscriminator(config).train()
    weights = {"ast": ASTModel, "vit": MusemoViTForEmotionRegression, "wav2vec2": Wav2Vec2Model}[kind].from_pretrained(
        pretrained / kind
    )
    stored = weights.state_dict()
    assert all(torch.equal(value, stored[name]) for name, value in model.frozen.model.state_dict().items())
    assert not any(p.requires_grad for p in model.frozen.parameters())
    assert all(p.requires_grad for p in model.heads.parameters())
    mel = (torch.rand(3, 1, 128, 32) * 2 - 1).requires_grad_()
    logits = model(spectrogram=mel, emotion=EMOTIONS).logits
    assert logits.shape == (3, len(model.frozen.layers)) == (3, 2)
    logits.sum().backward()
    assert mel.grad.abs().sum() > 0
    model.save_pretrained(tmp_path)
    loaded = MusemoGanDiscriminator.from_pretrained(tmp_path)
    assert_same_output(*(network.eval()(mel, EMOTIONS).logits for network in (model, loaded)))


def test_a_checkpoint_of_a_pretrained_discriminator_needs_no_folder(gan_config, pretrained, tmp_path):
    model = MusemoGanDiscriminator(gan_config(pretrained_discriminator=str(pretrained / "ast")))
    model.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    stored["pretrained_discriminator"] = str(tmp_path / "gone")
    (tmp_path / "config.json").write_text(json.dumps(stored))
    (tmp_path / "SHA256SUMS").unlink()
    loaded = MusemoGanDiscriminator.from_pretrained(tmp_path)
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())


def test_other_kinds_of_models_are_refused(gan_config, pretrained):
    with pytest.raises(ValueError, match=r"expected a pretrained model of .* or of waveforms \(.*\), got 'clap'"):
        gan_config(pretrained_discriminator=str(pretrained / "clap"))


def test_a_log_mel_is_played_as_the_sound_that_it_is_of():
    time = torch.arange(2 * 22050) / 22050
    sound = 0.3 * torch.sin(2 * torch.pi * 440 * time) * (1 + torch.sin(2 * torch.pi * 2 * time))
    sound = sound + 0.02 * torch.randn(sound.shape, generator=torch.Generator().manual_seed(0))
    wanted = normalise(log_mel(sound[None]))[:, None].requires_grad_()
    played = as_waveform(wanted, sampling_rate=22050)
    found, mel = log_mel(played.detach()), 50 * wanted.detach()[:, 0] - 10
    difference = (found - mel[..., : found.shape[-1]])[0, :, 4:-4]
    difference -= difference.median()  # its level is its own
    assert difference.abs().mean() < 3  # dB
    assert abs(difference[mel[0].mean(dim=1).argmax()].mean()) < 0.5  # at the tone
    lower = as_waveform(wanted)  # at 16 kHz
    assert lower.shape[-1] == round(played.shape[-1] * 16000 / 22050)
    spectrum = torch.fft.rfft(lower).abs().square().mean(dim=0)
    assert abs(spectrum.argmax() * 16000 / lower.shape[-1] - 440) < 5  # Hz
    spectrum[: len(spectrum) // 4].sum().div(spectrum.sum()).backward()  # of the lower octaves, up to 2 kHz
    assert wanted.grad[:, :, :40].sum() > 0 > wanted.grad[:, :, 60:].sum()


def test_a_recogniser_of_another_size_is_refused(pretrained):
    with pytest.raises(ValueError, match=r"expected a recogniser of spectrograms \(128, 48\), got one of \(128, 32\)"):
        FrozenFeatures(pretrained_config(str(pretrained / "vit")), 128, 48)


def test_a_recogniser_that_reads_windows_is_refused_before_training(gan_config, vit_config, tmp_path):
    MusemoViTForEmotionRegression(vit_config(n_frames=32, window_frames=16)).save_pretrained(tmp_path)
    config = gan_config(preset="modern", pretrained_discriminator=str(tmp_path))
    with pytest.raises(ValueError, match=r"whole spectrograms of 32 frames, got one that reads windows of 16"):
        MusemoGanDiscriminator(config)
    for windows in (None, 32):
        folder = tmp_path / str(windows)
        MusemoViTForEmotionRegression(vit_config(n_frames=32, window_frames=windows)).save_pretrained(folder)
        model = MusemoGanDiscriminator(gan_config(preset="modern", pretrained_discriminator=str(folder)))
        assert model(spectrogram=torch.zeros(3, 1, 128, 32), emotion=EMOTIONS).logits.shape == (3, 2)


def test_log_mels_become_the_filter_banks_of_an_ast():
    """Against transformers' own extractor on the same sound: steady noise, whose level both measure."""
    rng = np.random.default_rng(0)
    seconds = 5
    sound = 0.1 * rng.standard_normal(22050 * seconds).astype(np.float32)
    ours = normalise(log_mel(torch.from_numpy(sound)))[None, None]
    config = ASTConfig(max_length=600, num_mel_bins=128)
    made = as_filter_banks(ours, config)[0]
    extractor = ASTFeatureExtractor(max_length=600)
    theirs = extractor(resample(sound, 22050, 16000), sampling_rate=16000, return_tensors="pt").input_values[0]
    assert made.shape == theirs.shape == (600, 128)
    frames = slice(20, 480)
    difference = made[frames].mean(dim=0) - theirs[frames].mean(dim=0)
    # 0.1 is 4 dB of power; the filters at the very top are cut off by the resampler
    assert difference[:120].abs().max() < 0.1
    torch.testing.assert_close(made[-50:], theirs[-50:], atol=1e-3, rtol=0)  # padding


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conditioning": "film"}, r"expected conditioning to be one of \('map', 'projection', 'both'\), got 'film'"),
        ({"scales": 4}, r"expected scales to be one of \(1, 2, 3\), got 4"),
        ({"scales": 3}, "expected scales that leave 16 x 16 positions at the coarsest, got 3"),
        ({"generator_network": "mamba"}, "expected generator_network to be one of"),
        ({"stem": "wide"}, "expected stem to be one of"),
        ({"transformer_dim": 30}, "expected transformer_dim to be a multiple of the 4 heads, got 30"),
    ],
)
def test_configuration_refuses(gan_config, changes, message):
    with pytest.raises(ValueError, match=message):
        gan_config(**changes)
