"""Outputs and gradients of tiny networks with fixed weights, against values stored before.

`pytest tests/models/test_reference_values.py --store-fixtures` stores the values anew; do so only where a change of
them is intended. Weights and inputs are sines, so that no random generator and no library's initialisation matters.
"""

import json
import math
from pathlib import Path

import pytest
import torch
from transformers import ASTConfig, ASTModel

from musemo_hf import MusemoFlowGenerator, MusemoGanDiscriminator, MusemoGanGenerator, MusemoViTForEmotionRegression
from musemo_hf.models.flow.clip_gains import ClipGains, membership
from musemo_hf.models.flow.modulation_transform import cosines
from musemo_hf.models.flow.pulse import Pulse
from musemo_hf.models.gan.frozen_gan import as_filter_banks
from musemo_hf.models.vit.backbone import resample_positions
from musemo_hf.models.vit.texture import texture_statistics

FILE = Path(__file__).parent / "fixtures" / "reference_values.json"
EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.1], [0.1, -0.5]], dtype=torch.float64)


def sines(*shape, step=0.7, scale=1.0):
    """Values without a pattern, in double precision: sines at steps that no size divides."""
    return scale * torch.sin(step * torch.arange(1, 1 + math.prod(shape), dtype=torch.float64) ** 1.3).view(shape)


def fill(model):
    """Give every weight a fixed value of the size that keeps activations moderate; norms stay around 1."""
    with torch.no_grad():
        for index, (name, value) in enumerate(model.named_parameters()):
            values = sines(*value.shape, step=0.5 + 0.037 * index)
            fan_in = value[0].numel() if value.ndim > 1 else 4
            value.copy_(values * fan_in**-0.5 + (value.ndim == 1 and name.endswith("weight")))
    return model.double()


def clips(n=3, n_frames=37, scale=0.5):
    """Log-mels with levels, slow and fast changes."""
    time = torch.arange(n_frames, dtype=torch.float64)
    slow = torch.sin(0.3 * time * torch.arange(1, n + 1)[:, None])[:, None, None]
    level = 0.3 * torch.cos(torch.arange(128, dtype=torch.float64) / 9)[:, None]
    return (scale * (0.5 * slow + sines(n, 1, 128, n_frames)) + level).clamp(-1, 1)


def fingerprint(values):
    """Mean, root mean square, and a sum with weights that see every place."""
    values = values.detach().double().flatten()
    weights = torch.cos(0.61 * torch.arange(len(values), dtype=torch.float64))
    return [values.mean().item(), values.square().mean().sqrt().item(), (weights @ values).item() / len(values) ** 0.5]


def with_gradients(model, outputs, *inputs):
    """Fingerprints of outputs, and of the gradients of a weighted sum of them."""
    found = {name: fingerprint(value) for name, value in outputs.items()}
    total = sum((value * sines(*value.shape, step=0.9)).sum() for value in outputs.values())
    weights = [value for value in model.parameters() if value.requires_grad]
    gradients = torch.autograd.grad(total, [*inputs, *weights], allow_unused=True)
    seen = [value.flatten() for value in gradients[len(inputs) :] if value is not None]
    found["gradients of weights"] = fingerprint(torch.cat(seen))
    for index in range(len(inputs)):
        found[f"gradient of input {index}"] = fingerprint(gradients[index])
    return found


GENERATORS = {
    "simple": {"preset": "simple"},
    "enhanced": {"preset": "enhanced"},
    "attention first": {"preset": "enhanced", "attention_stage": 0},
    "modern": {"preset": "modern"},
    "transformer": {"generator_network": "transformer", "transformer_dim": 16, "transformer_layers": 2},
}
DISCRIMINATORS = {
    "simple": {"preset": "simple"},
    "enhanced": {"preset": "enhanced"},
    "modern": {"preset": "modern"},
    "scales": {"preset": "simple", "scales": 2, "conditioning": "projection"},
}


@pytest.fixture
def check(request):
    """`check(name, found)`: compare with what is stored under a name."""

    def compare(name, found, rel=1e-4):
        stored = json.loads(FILE.read_text()) if FILE.is_file() else {}
        if request.config.getoption("--store-fixtures"):
            FILE.write_text(json.dumps(stored | {name: found}, indent=1, sort_keys=True) + "\n")
            return
        assert found.keys() == stored[name].keys()
        for key, values in found.items():
            assert values == pytest.approx(stored[name][key], rel=rel, abs=rel / 10), f"{name}: {key}"

    return compare


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_of_a_gan(gan_config, check, name):
    model = fill(MusemoGanGenerator(gan_config(n_frames=37, **GENERATORS[name])))
    emotion, noise = EMOTIONS.clone().requires_grad_(), sines(3, 100).requires_grad_()
    spectrogram = model(emotion=emotion, noise=noise).spectrogram
    assert spectrogram.abs().mean() < 0.95  # a saturated tanh would hide changes
    check(f"gan generator, {name}", with_gradients(model, {"spectrogram": spectrogram}, emotion, noise))


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators_of_a_gan(gan_config, check, name):
    model = fill(MusemoGanDiscriminator(gan_config(n_frames=37, **DISCRIMINATORS[name])))
    mel, emotion = clips().requires_grad_(), EMOTIONS.clone().requires_grad_()
    for buffer in model.buffers():  # of spectral normalisation, drawn at random
        buffer.copy_(torch.nn.functional.normalize(sines(*buffer.shape), dim=0))
    for _ in range(50):  # power iterations
        model.train()(spectrogram=mel, emotion=emotion)
    model.eval()
    output = model(spectrogram=mel, emotion=emotion, output_features=True)
    outputs = {"logits": output.logits} | {f"features {i}": part for i, part in enumerate(output.features)}
    check(f"gan discriminator, {name}", with_gradients(model, outputs, mel, emotion))


@pytest.mark.parametrize("kind", ["vit", "ast"])
def test_discriminators_on_a_pretrained_model(gan_config, vit_config, check, tmp_path, kind):
    tiny = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
    if kind == "vit":
        MusemoViTForEmotionRegression(vit_config(n_frames=32)).save_pretrained(tmp_path)
    else:
        ASTModel(ASTConfig(**tiny, max_length=64, num_mel_bins=32)).save_pretrained(tmp_path)
    model = fill(MusemoGanDiscriminator(gan_config(preset="modern", pretrained_discriminator=str(tmp_path))))
    mel = clips(n_frames=32).requires_grad_()
    output = model(spectrogram=mel, emotion=EMOTIONS, output_features=True)
    outputs = {"logits": output.logits} | {f"features {i}": part for i, part in enumerate(output.features)}
    check(f"pretrained discriminator, {kind}", with_gradients(model, outputs, mel))


def test_filter_banks_of_an_ast(check):
    banks = as_filter_banks(clips(n_frames=80).float(), ASTConfig(max_length=200, num_mel_bins=128))
    check("filter banks", {f"clip {i}": fingerprint(part) for i, part in enumerate(banks)})


def orthonormal(size):
    return cosines(size).flip(0)


@pytest.fixture
def flow():
    """A flow of three kinds of latents, all of whose values are fixed: no sign of a singular vector matters."""
    sizes = {"n_frames": 90, "patch_size": (64, 8), "n_components": 12, "n_bands": 4, "n_pulse_bands": 4}
    model = fill(MusemoFlowGenerator(**sizes, width=16, depth=2, n_heads=2))
    model.fit(clips(40, 90), sines(40, 2))
    with torch.no_grad():
        model.patches.basis.copy_(orthonormal(512))
        model.patches.fine_deviation.copy_(sines(2, 1, 6).abs() + 0.1)
        model.patches.detail_deviation.copy_(sines(2, 1, 500).abs())
        model.patches.detail_power.copy_(sines(500).abs())
        model.modulation.rotation.copy_(torch.stack([orthonormal(24)] * len(model.modulation.sizes)))
        model.modulation.deviation.copy_(sines(*model.modulation.deviation.shape).abs() + 0.2)
        model.modulation.rest.copy_(sines(*model.modulation.rest.shape, step=0.3).abs() + 0.5)
        model.modulation.gains.usual.copy_(sines(*model.modulation.gains.usual.shape, scale=0.3))
        model.principal.basis.copy_(orthonormal(model.principal.size))
        model.principal.deviation.copy_(sines(model.principal.size).abs() + 0.1)
        model.principal.weight.copy_(sines(*model.principal.weight.shape, scale=0.1))
        model.principal.reach.copy_(
            torch.stack([-sines(model.principal.size).abs(), sines(model.principal.size).abs()])
        )
        model.principal.centre.copy_(sines(25).abs())
    return model


def test_the_velocity_of_a_flow(flow, check):
    latents = sines(3, flow.n_latents).requires_grad_()
    t = torch.tensor([0.1, 0.5, 0.95], dtype=torch.float64)
    velocity = flow(latents, t, EMOTIONS, drop_mask=torch.tensor([False, True, False])).velocity
    check("flow velocity", with_gradients(flow, {"velocity": velocity}, latents))


def test_what_a_flow_encodes_decodes_and_generates(flow, check):
    latents = flow.encode(clips(3, 90), EMOTIONS)
    noise = sines(3, flow.noise_dim, step=0.21, scale=1.4)
    detail = sines(3, 2, 12, 500)
    found = {
        "latents": latents,
        "decoded": flow.decode(sines(3, flow.n_latents, scale=0.4), EMOTIONS, detail, strength=0.6),
        "without detail": flow.decode(sines(3, flow.n_latents, scale=0.4), EMOTIONS),
        "deviations": flow.latent_deviation,
        "generated": flow.generate(EMOTIONS, noise=noise, num_inference_steps=3, guidance_scale=1.7),
        "unguided": flow.generate(EMOTIONS, noise=noise, num_inference_steps=2, guidance_scale=0.5),
    }
    check("flow", {name: fingerprint(value) for name, value in found.items()})


def test_what_a_flow_is_fitted_to(check):
    """Values that the signs of singular vectors leave alone."""
    model = MusemoFlowGenerator(
        n_frames=90, patch_size=(64, 8), n_components=12, n_bands=4, n_pulse_bands=4, width=16, depth=1, n_heads=2
    ).double()
    model.fit(clips(40, 90), sines(40, 2))
    found = {name: value for name, value in model.state_dict().items() if not name.startswith("network.")}
    fitted = {name: value for name, value in found.items() if not name.endswith(("basis", "rotation"))}
    assert len(fitted) == 19
    # the last singular values of so few clips are rounding errors
    check("flow fit", {name: fingerprint(value)[:2] for name, value in fitted.items() if "detail" not in name})


def test_pulse_and_gains(check):
    pulse, changes = Pulse(16, 120, 4), sines(3, 16, 120)
    found, rest = pulse.double().split(changes)
    gains = ClipGains(membership([4, 12]), membership([20, 30, 69], n_before=1), floor=0.1).double()
    gains.fit(changes)
    own, even = gains.split(changes)
    joined = pulse.join(found.flip(0) * 0.98, changes), gains.join(own.flip(0), changes)
    parts = {"pulse": found, "rest": rest, "gains": own, "even": even, "joined": joined[0], "gained": joined[1]}
    check("pulse and gains", {name: fingerprint(value) for name, value in parts.items()})


VITS = {
    "default": {},
    "squared error": {"regression_loss": "mse"},
    "windows": {"window_frames": 24},
    "uncertainty": {"uncertainty": True, "deviation_scale": [2.0, 0.5]},
}


@pytest.mark.parametrize("name", VITS)
def test_recognisers(vit_config, check, name):
    model = fill(MusemoViTForEmotionRegression(vit_config(**VITS[name]))).eval()
    mel = clips(3, 40).requires_grad_()
    output = model(spectrogram=mel, labels=EMOTIONS.flip(0), emotion_deviation=sines(3, 2).abs())
    check(f"recogniser, {name}", with_gradients(model, dict(output), mel))


def test_the_kernel_head(vit_config, check):
    model = fill(MusemoViTForEmotionRegression(vit_config(kernel_read_out=True, kernel_share=0.7))).float().eval()
    songs = clips(12, 40, scale=0.8).float()
    model.fit_in_closed_form(songs, sines(12, 2).float())
    emotion = model(spectrogram=clips(3, 40).float()).emotion
    # the songs are kept in half precision, whose rounding may differ by a bit on another processor
    check("kernel head", {"emotion": fingerprint(emotion), "kernel": fingerprint(model.kernel(songs))}, rel=1e-3)


@pytest.mark.parametrize("n_frames", [33, 200])
def test_texture_statistics(check, n_frames):
    statistics = texture_statistics(clips(2, n_frames))
    check(f"texture, {n_frames} frames", {f"{start}": fingerprint(statistics[:, start : start + 16])
                                          for start in range(0, statistics.shape[1], 16)})  # fmt: skip


def test_resampled_positions(check):
    resampled = resample_positions(sines(1, 2 + 12, 8), (3, 4), (5, 7), n_prefix=2)
    check("positions", {"prefix": fingerprint(resampled[:, :2]), "patches": fingerprint(resampled[:, 2:])})
