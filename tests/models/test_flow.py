import json

import numpy as np
import pytest
import torch

from musemo_hf import MusemoFeatureExtractor, MusemoFlowGenerator, MusemoGanConfig, MusemoGanGenerator, MusemoPipeline
from musemo_hf.models.flow.modulation_transform import ModulationTransform

EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6], [0.0, 0.0]])
N_FRAMES = 35  # not a multiple of the patch


@pytest.fixture(scope="module")
def music():
    """40 clips with smooth spectra that differ, some of it steady."""
    generator = torch.Generator().manual_seed(0)
    rough = torch.randn(40, 1, 8, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(rough, size=(128, N_FRAMES), mode="bilinear")
    steady = 0.1 * torch.randn(40, 1, 128, 1, generator=generator)
    return (0.3 * smooth + steady + 0.05 * torch.randn(smooth.shape, generator=generator)).clamp(-1, 1)


@pytest.fixture
def flow(music):
    """`flow(**changes)`: one block of 16, fitted to `music`, with every weight drawn so that none is zero."""

    def make(random=True, **changes):
        torch.manual_seed(0)
        small = {"n_frames": N_FRAMES, "patch_size": (128, 4), "n_components": 16, "width": 16, "depth": 1}
        model = MusemoFlowGenerator(**(small | {"n_heads": 2} | changes))
        model.fit(music)
        if random:
            for value in model.network.parameters():
                torch.nn.init.normal_(value, std=0.1)
        return model

    return make


def error(model, music):
    return (model.patches.decode(model.patches.encode(music)) - music).square().mean().item()


@pytest.mark.parametrize("patch_size", [(128, 4), (64, 4), (32, 8)])
def test_the_basis_is_orthonormal_and_more_components_keep_more(flow, music, patch_size):
    size = patch_size[0] * patch_size[1]
    errors = []
    for n_components in (4, 16, 64, size):
        model = flow(patch_size=patch_size, n_components=n_components)
        basis = model.patches.basis
        torch.testing.assert_close(basis.T @ basis, torch.eye(size), atol=1e-4, rtol=0)
        errors.append(error(model, music))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 2 * errors[2]
    assert errors[-1] < 1e-9


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("patch_size", [(128, 4), (64, 4)])
def test_latents_have_the_deviations_they_are_said_to_have(flow, music, whitening, patch_size):
    model = flow(patch_size=patch_size, n_components=8, whitening=whitening)
    latents = model.encode(music)
    assert latents.square().mean().item() == pytest.approx(1, rel=1e-2)
    told = model.modulation.latent_deviation
    for octave, size in zip(latents.split(model.modulation.sizes, dim=1), model.modulation.sizes, strict=True):
        found, (said, told) = octave.square().mean(dim=(0, 1)).sqrt(), (told[0], told[size:])
        torch.testing.assert_close(found, said, rtol=1e-2, atol=1e-3)
        flat = octave.flatten(0, 1) / said
        correlation = flat.T @ flat / len(flat)
        torch.testing.assert_close(correlation, torch.eye(len(said)), atol=1e-2, rtol=0)
    torch.testing.assert_close(model.modulation.decode(latents), model.patches.encode(music), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("columns", [1, 2, 3, 9, 54])
def test_the_transform_over_time_is_orthonormal_and_its_first_octave_is_the_mean(columns):
    transform = ModulationTransform(2, columns, 3, whitening=0.5)
    assert sum(transform.sizes) == columns
    patches = torch.randn(5, 2, columns, 3)
    transform.rotation.copy_(torch.linalg.qr(torch.randn(len(transform.sizes), 6, 6)).Q)
    coefficients = transform.to_coefficients(patches)
    torch.testing.assert_close(transform.to_patches(coefficients), patches, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(coefficients.square().sum(), patches.square().sum())
    means = patches.mean(dim=2).flatten(1) * columns**0.5
    torch.testing.assert_close(coefficients[:, 0], means @ transform.rotation[0])


def test_the_detail_has_the_deviation_that_was_cut_off_and_its_steady_part(flow, music):
    model = flow(n_components=4, patch_size=(64, 4))
    patches, generator = model.patches, torch.Generator().manual_seed(1)
    drawn = torch.randn(500, 2, patches.columns + 1, patches.n_detail, generator=generator)
    components = torch.zeros(500, 2, patches.columns, 4)
    detail = patches.decode(components, drawn) - patches.decode(components)
    cut = music - patches.decode(patches.encode(music))
    for rows in (slice(0, 64), slice(64, 128)):
        ours, theirs = detail[:, 0, rows, :32], cut[:, 0, rows, :32]
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.05)
        assert ours.mean(dim=-1).std().item() == pytest.approx(theirs.mean(dim=-1).std().item(), rel=0.1)


def test_the_velocity_of_gaussian_latents_is_exact_before_training(flow):
    # for data N(0, d^2) and noise N(0, 1), E[noise - data | x_t] is linear in x_t, and least squares must find it
    model = flow(random=False)
    deviation = model.modulation.latent_deviation
    generator = torch.Generator().manual_seed(0)
    shape = (20_000, *deviation.shape)
    data = deviation * torch.randn(shape, generator=generator)
    noise = torch.randn(shape, generator=generator)
    for moment in (0.1, 0.5, 0.9):
        latents = torch.lerp(data, noise, moment)
        slope = ((noise - data) * latents).sum(dim=0) / latents.square().sum(dim=0)
        with torch.no_grad():
            guess = model(latents[:1], torch.full((1,), moment), EMOTIONS[:1])
        torch.testing.assert_close(guess / latents[:1], slope[None], atol=0.15, rtol=0.06)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_the_euler_sampler_recovers_the_moments_of_a_gaussian(flow, music, whitening):
    """Untrained, the velocity is the oracle's for a Gaussian: enough steps give its moments, one its mean."""
    model = flow(random=False, whitening=whitening, detail=False)
    emotion, fitted = torch.zeros(1000, 2), model.modulation.latent_deviation
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1000, 9, 16, generator=generator)
    with torch.no_grad():
        one, many = (model._follow(noise, emotion, steps, guidance=1.0) for steps in (1, 60))
    torch.testing.assert_close(many.std(dim=0), fitted, rtol=0.12, atol=0.01)
    assert (many.mean(dim=0) / fitted).abs().max() < 0.15
    assert one.abs().max() < 1e-4


@pytest.mark.parametrize("n_frames", [1, 31, 32, 33])
@pytest.mark.parametrize("patch_size", [(128, 4), (32, 16)])
def test_any_number_of_frames(n_frames, patch_size):
    model = MusemoFlowGenerator(n_frames=n_frames, patch_size=patch_size, n_components=8, width=8, depth=1, n_heads=1)
    spectrogram = torch.rand(2, 1, 128, n_frames) * 2 - 1
    model.fit(spectrogram)
    mels = model.generate(EMOTIONS, seed=0, num_inference_steps=1)
    assert mels.shape == (3, 1, 128, n_frames)
    assert mels.abs().max() <= 1
    assert torch.isfinite(mels).all()
    with pytest.raises(ValueError, match=rf"expected spectrogram of shape \(B, 1, 128, {n_frames}\), got \(2, 128"):
        model.encode(spectrogram[:, 0])


def test_a_sample_is_the_same_in_any_batch(flow):
    model = flow(detail=True)
    together = model.generate(EMOTIONS, seed=7, num_inference_steps=3)
    for index in range(3):
        alone = model.generate(EMOTIONS[index : index + 1], seed=7 + index, num_inference_steps=3)
        torch.testing.assert_close(alone[0], together[index], atol=1e-5, rtol=0)
    listed = model.generate(EMOTIONS, seed=[9, np.int64(7), 8], num_inference_steps=3)
    noise = model.sample_noise(3, [9, 7, 8])
    assert torch.equal(listed, model.generate(EMOTIONS, noise=noise, num_inference_steps=3))
    assert not torch.allclose(*(model.generate(EMOTIONS[:1]) for _ in range(2)), atol=1e-3)  # fresh seeds


def test_steps_guidance_and_detail_are_values(flow):
    model = flow(num_inference_steps=2, guidance_scale=3.0)
    noise = model.sample_noise(3, 0)

    def made(**options):
        return model.generate(EMOTIONS, noise=noise, **options)

    assert torch.equal(made(), made(num_inference_steps=2, guidance_scale=3.0))
    assert not torch.equal(made(), made(num_inference_steps=4))
    assert not torch.equal(made(), made(guidance_scale=1.0))
    away = made(guidance_scale=0)
    torch.testing.assert_close(away, model.generate(-EMOTIONS, noise=noise, guidance_scale=0))
    model.network.condition.nothing.data += 1
    torch.testing.assert_close(made(guidance_scale=1), made(guidance_scale=1.0))
    assert not torch.equal(away, made(guidance_scale=0))
    plain = flow(detail=False)
    assert plain.noise_dim == 9 * 16
    assert model.noise_dim == 9 * 16 + 10 * (512 - 16)


def test_generate_restores_the_mode(flow):
    model = flow().train()
    assert not model.generate(EMOTIONS, seed=0, num_inference_steps=1).requires_grad
    assert model.training


def test_saved_and_loaded_bit_for_bit(flow, tmp_path):
    model = flow()
    model.save_pretrained(tmp_path)
    loaded = MusemoFlowGenerator.from_pretrained(tmp_path)
    assert {
        name for name, value in model.state_dict().items() if not torch.equal(value, loaded.state_dict()[name])
    } == set()
    assert torch.equal(model.generate(EMOTIONS, seed=0), loaded.generate(EMOTIONS, seed=0))
    assert json.loads((tmp_path / "config.json").read_text())["_class_name"] == "MusemoFlowGenerator"


def test_in_the_seat_of_the_gan(flow, tmp_path):
    model = flow()
    pipe = MusemoPipeline(model, MusemoFeatureExtractor(n_frames=N_FRAMES))
    pipe.save_pretrained(tmp_path / "pipeline")
    model.save_pretrained(tmp_path / "bare")
    pipe.feature_extractor.save_pretrained(tmp_path / "bare")
    for name in ("pipeline", "bare"):
        loaded = MusemoPipeline.from_pretrained(tmp_path / name)
        assert isinstance(loaded.generator, MusemoFlowGenerator)
        loaded.set_progress_bar_config(disable=True)
        options = {"num_inference_steps": 2, "guidance_scale": 2.0}
        song = loaded(valence=0.8, arousal=0.7, seed=3, n_iter=1, **options)
        mels = model.generate([[0.8, 0.7]], seed=3, **options)
        assert np.array_equal(song.spectrogram, pipe.feature_extractor.to_decibels(mels)[0, 0].numpy())
    songs = loaded.walk((0.8, 0.7), (-0.8, -0.6), steps=3, seed=0, end_seed=1, n_iter=1).songs
    assert len({song.spectrogram.tobytes() for song in songs}) == 3


def test_a_gan_has_no_steps():
    gan = MusemoGanGenerator(
        MusemoGanConfig(n_frames=32, generator_channels=16, discriminator_channels=4, group_norm_groups=2)
    )
    pipe = MusemoPipeline(gan, MusemoFeatureExtractor(n_frames=32))
    with pytest.raises(ValueError, match="expected num_inference_steps for a flow only, got a MusemoGanGenerator"):
        pipe(valence=0, arousal=0, num_inference_steps=4)


@pytest.mark.parametrize(
    ("emotion", "message"),
    [
        ([[5.0, 6.0]], r"in \[-1, 1\], got values from 5 to 6; DEAM's 1-9 maps by \(x - 5\) / 4"),
        ([[float("nan"), 0.0]], "expected finite valence and arousal"),
        ([0.0, 0.0], r"expected emotion of shape \(B, 2\)"),
    ],
)
def test_emotions_that_are_none(flow, emotion, message):
    with pytest.raises(ValueError, match=message):
        flow().generate(emotion)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_inference_steps": 0}, "expected at least 1 step"),
        ({"num_inference_steps": 2.5}, "expected at least 1 step"),
        ({"guidance_scale": -1.0}, "a guidance scale from 0 on, got 20 and -1.0"),
        ({"guidance_scale": float("nan")}, "a guidance scale from 0 on"),
        ({"noise": torch.zeros(3, 7)}, r"expected noise of shape \(3, \d+\), got \(3, 7\)"),
        ({"noise": torch.zeros(3, 7), "seed": 0}, "expected seed or noise, got both"),
        ({"seed": [1, 2]}, "expected one seed, or 3 of them, got 2"),
    ],
)
def test_bad_inputs_of_generate(flow, options, message):
    with pytest.raises(ValueError, match=message):
        flow().generate(EMOTIONS, **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": (24, 4)}, "expected patches whose mels divide 128"),
        ({"n_components": 0}, "expected 1 to 512 components"),
        ({"n_components": 513}, "expected 1 to 512 components"),
        ({"whitening": 1.5}, r"whitening in \[0, 1\]"),
        ({"width": 16, "n_heads": 3}, "a width that 3 and 4 divide"),
        ({"depth": 0}, "expected a depth"),
    ],
)
def test_sizes_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        MusemoFlowGenerator(**({"patch_size": (128, 4), "n_components": 16} | changes))
