import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from musemo_hf import MusemoFeatureExtractor, MusemoFlowGenerator, MusemoGanConfig, MusemoGanGenerator, MusemoPipeline
from musemo_hf.models.flow.clip_gains import ClipGains, membership
from musemo_hf.models.flow.modulation_transform import ModulationTransform
from musemo_hf.models.flow.patch_transform import PatchTransform

EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6], [0.0, 0.0]])
FELT = torch.rand(40, 2, generator=torch.Generator().manual_seed(3)) * 2 - 1
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
        model.fit(music, FELT)
        if random:
            for value in model.network.parameters():
                torch.nn.init.normal_(value, std=0.1)
        return model

    return make


def error(model, music):
    texture = model.profile.encode(music)[1]
    return (model.patches.decode(model.patches.encode(texture)) - texture).square().mean().item()


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


@pytest.mark.parametrize("n_bands", [0, 16])
@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("patch_size", [(128, 4), (64, 4)])
def test_latents_have_the_stated_deviations(flow, music, whitening, patch_size, n_bands):
    model = flow(patch_size=patch_size, n_components=8, whitening=whitening, n_bands=n_bands)
    profile, texture = model.split(model.encode(music, FELT))
    stated = model.modulation.latent_deviation
    assert stated.square().mean().item() == pytest.approx(1)
    octaves = list(zip(*(part.split(model.modulation.sizes, dim=-2) for part in (texture, stated)), strict=True))
    for octave, said in octaves[1:]:  # a texture's means are 0
        torch.testing.assert_close(octave.square().mean(dim=(0, 1)).sqrt(), said[0], rtol=1e-2, atol=1e-3)
    found, stated = profile.square().mean(dim=0).sqrt(), model.principal.latent_deviation
    torch.testing.assert_close(found[:30], stated[:30], rtol=1e-2, atol=1e-3)  # 40 clips have 37 components


@pytest.mark.parametrize("n_bands", [0, 4, 16])
def test_with_all_components_nothing_is_lost(flow, music, n_bands):
    model = flow(n_components=512, n_bands=n_bands)
    torch.testing.assert_close(model.decode(model.encode(music, FELT), FELT), music, atol=1e-4, rtol=0)


def test_a_texture_has_the_usual_gains_and_no_means(flow, music):
    profile = flow().profile
    for clips in (music, 0.5 * music, music * torch.linspace(0.5, 1, 128)[:, None]):
        _, texture = profile.encode(clips)
        assert texture.mean(dim=-1).abs().max() < 1e-5
        gains, _ = profile.gains.split(texture[:, 0] @ profile.cosine.T)
        usual = profile.gains.usual.flatten()
        torch.testing.assert_close(gains, usual.expand_as(gains), atol=0.1, rtol=0)  # up to the floor


def test_clips_that_begin_alike_have_textures_that_do_not(flow, music):
    begun = music * 0.3
    begun[..., 0] = -0.9
    profile = flow().profile
    profile.fit(begun)
    encoded, texture = profile.encode(begun)
    assert profile.slope[:, 0].abs().max() < 0.1  # the first frame is the same in all clips, however loud they are
    torch.testing.assert_close(profile.decode(encoded, texture), begun, atol=1e-4, rtol=0)
    other = profile.decode(encoded, profile.encode(begun.flip(0))[1])
    assert other[..., 0].mean().item() == pytest.approx(-0.9, abs=0.05)


def test_a_texture_takes_on_the_gains_of_any_profile(flow, music):
    profile = flow().profile
    wanted, _ = profile.encode(music)
    _, other = profile.encode(music.flip(0))
    torch.testing.assert_close(profile.encode(profile.decode(wanted, other))[0], wanted, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("silent", [slice(0, 128), slice(0, 8), slice(100, 128)])
def test_silence_stays_silent_and_finite(flow, music, silent):
    model = flow(n_components=512)
    quiet = music[:4].clone()
    quiet[:, :, silent] = -1
    latents = model.encode(quiet, FELT[:4])
    assert torch.isfinite(latents).all()
    torch.testing.assert_close(model.decode(latents, FELT[:4]), quiet, atol=1e-3, rtol=0)
    model.fit(quiet, FELT[:4])  # also where every clip is silent there
    assert torch.isfinite(model.generate(EMOTIONS, seed=0, num_inference_steps=1)).all()


def test_gains_of_groups_are_taken_out_and_put_back():
    gains = ClipGains(membership([2, 3]), membership([1, 2], n_before=1), floor=1e-3)
    values = torch.randn(6, 5, 4) * torch.tensor([0.1, 1.0, 10.0, 100.0, 0.0, 1e-6]).view(6, 1, 1)
    gains.fit(values)
    own, even = gains.split(values)
    by_hand = 0.5 * (values[:, 2:, 2:].square().mean(dim=(1, 2)) + 1e-6).log()
    torch.testing.assert_close(own[:, 3], by_hand)
    torch.testing.assert_close(even[:, :, 0], values[:, :, 0])  # a place of no group
    torch.testing.assert_close(gains.join(own, even), values, rtol=1e-3, atol=1e-4)


def test_generated_clips_differ_in_their_gains_as_real_ones_do(music, flow):
    loud = music * torch.logspace(-1, 0, 40)[:, None, None, None]
    spread = {}
    for n_bands in (0, 16):
        model = flow(random=False, n_bands=n_bands)
        model.fit(loud, FELT)
        made = model.generate(torch.zeros(200, 2), seed=0, num_inference_steps=40)
        spread[n_bands] = made.std(dim=-1).mean(dim=(1, 2)).log().std().item()
    real = loud.std(dim=-1).mean(dim=(1, 2)).log().std().item()
    assert spread[0] < 0.3 * real
    assert spread[16] == pytest.approx(real, rel=0.4)


def test_the_regression_on_the_emotion_is_known_before_training(flow, music):
    louder = (0.3 * music + 0.4 * FELT[:, 1, None, None, None]).clamp(-1, 1)
    model = flow(random=False)
    model.fit(louder, FELT)
    levels = [
        model.generate(torch.tensor([[0.0, arousal]]).repeat(50, 1), seed=0, guidance_scale=scale).mean().item()
        for arousal, scale in ((0.8, 1.0), (-0.8, 1.0), (0.8, 0.0), (-0.8, 0.0))
    ]
    assert levels[0] - levels[1] == pytest.approx(0.4 * 1.6, rel=0.15)
    assert levels[2] == pytest.approx(levels[3])


def test_corners_without_songs_are_no_louder_than_songs_are_and_guidance_makes_them_no_louder(flow, music):
    middle = 0.5 * FELT
    louder = (0.3 * music + 0.4 * middle[:, 1, None, None, None]).clamp(-1, 1)
    model = flow(random=False)
    model.fit(louder, middle)
    corner = torch.tensor([[0.0, 1.0]]).repeat(50, 1)
    level, guided = (model.generate(corner, seed=0, guidance_scale=scale).mean().item() for scale in (1.0, 3.0))
    loudest = louder.mean(dim=(1, 2, 3))[middle[:, 1] > 0.4].mean().item()
    assert loudest - 0.02 < level < loudest + 0.02
    assert guided == pytest.approx(level)


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


def test_the_detail_has_the_deviation_that_was_cut_off(flow, music):
    model = flow(n_components=4, patch_size=(64, 4))
    patches, generator = model.patches, torch.Generator().manual_seed(1)
    texture = model.profile.encode(music)[1]
    components = patches.encode(texture).repeat(10, 1, 1, 1)
    drawn = torch.randn(*components.shape[:3], patches.n_detail, generator=generator)
    detail = patches.decode(components, drawn) - patches.decode(components)
    cut = texture - patches.decode(patches.encode(texture))
    for rows in (slice(0, 64), slice(64, 128)):
        ours, theirs = detail[:, 0, rows, :32], cut[:, 0, rows, :32]
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.05)


def test_the_detail_follows_the_local_energy_of_what_is_modelled(flow):
    generator = torch.Generator().manual_seed(0)
    patches = PatchTransform(128, 64, (128, 4), n_components=64)
    strength = torch.rand(40, 1, 16, 1, generator=generator).mul(4).sub(2).exp()  # of each patch, as onsets differ
    cells = torch.randn(40, 1, 16, 512, generator=generator) / torch.arange(1, 513).sqrt() * strength
    texture = cells.unflatten(-1, (128, 4)).permute(0, 1, 3, 2, 4).reshape(40, 1, 128, 64)
    patches.fit(texture)
    components = patches.encode(texture)
    drawn = patches.decode(components, torch.randn(40, 1, 16, patches.n_detail, generator=generator))
    parts = [part - patches.decode(components) for part in (drawn, texture)]
    ours, theirs = (part.unflatten(-1, (16, 4)).square().mean(dim=(1, 2, 4)).log().flatten() for part in parts)
    assert torch.corrcoef(torch.stack([ours, theirs]))[0, 1] > 0.9
    assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.15)


def test_the_velocity_of_gaussian_latents_is_exact_before_training(flow):
    # for data N(0, d^2) and noise N(0, 1), E[noise - data | x_t] is linear in x_t, and least squares must find it
    model = flow(random=False)
    deviation = model.latent_deviation
    generator = torch.Generator().manual_seed(0)
    shape = (20_000, len(deviation))
    data = deviation * torch.randn(shape, generator=generator)
    noise = torch.randn(shape, generator=generator)
    for t in (0.1, 0.5, 0.9):
        latents = torch.lerp(data, noise, t)
        slope = ((noise - data) * latents).sum(dim=0) / latents.square().sum(dim=0)
        with torch.no_grad():
            guess = model(latents[:1], torch.full((1,), t), EMOTIONS[:1]).velocity
        torch.testing.assert_close(guess / latents[:1], slope[None], atol=0.15, rtol=0.06)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_the_euler_sampler_recovers_the_moments_of_a_gaussian(flow, music, whitening):
    """Untrained, the velocity is the oracle's for a Gaussian: enough steps give its moments, one its mean."""
    model = flow(random=False, whitening=whitening)
    emotion, fitted = torch.zeros(1000, 2), model.latent_deviation
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1000, model.n_latents, generator=generator)
    with torch.no_grad():
        one, many = (model._integrate(noise, emotion, steps, guidance=1.0) for steps in (1, 60))
    torch.testing.assert_close(many.std(dim=0), fitted, rtol=0.12, atol=0.01)
    assert (many.mean(dim=0) / fitted).abs().max() < 0.15
    assert one.abs().max() < 1e-4


def test_a_sample_is_the_same_in_any_batch(flow):
    model = flow()
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
    plain = flow(n_components=512)  # no detail is left
    assert plain.noise_dim == plain.n_latents == plain.principal.size + 9 * 512
    assert model.n_latents == model.principal.size + 9 * 16
    assert model.noise_dim == model.n_latents + 9 * (512 - 16)


def test_generate_restores_the_mode(flow):
    model = flow().train()
    assert not model.generate(EMOTIONS, seed=0, num_inference_steps=1).requires_grad
    assert model.training


def test_a_checkpoint_that_lacks_fitted_values_is_refused(flow, tmp_path):
    flow().save_pretrained(tmp_path)
    (file,) = tmp_path.glob("*.safetensors")
    values = {name: value for name, value in load_file(file).items() if name != "principal.weight"}
    save_file(values, file, {"format": "pt"})
    (tmp_path / "SHA256SUMS").unlink()
    with pytest.raises(ValueError, match=r"expected all values of a flow, got none of principal\.weight"):
        MusemoFlowGenerator.from_pretrained(tmp_path)


def test_saved_and_loaded_bit_for_bit(flow, tmp_path, assert_same_output):
    model = flow()
    model.save_pretrained(tmp_path)
    loaded = MusemoFlowGenerator.from_pretrained(tmp_path)
    assert {
        name for name, value in model.state_dict().items() if not torch.equal(value, loaded.state_dict()[name])
    } == set()
    assert_same_output(model.generate(EMOTIONS, seed=0), loaded.generate(EMOTIONS, seed=0))
    assert json.loads((tmp_path / "config.json").read_text())["_class_name"] == "MusemoFlowGenerator"


def test_a_flow_is_a_drop_in_replacement_of_a_gan(flow, tmp_path):
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
        expected = pipe.feature_extractor.to_decibels(mels)[0, 0].numpy()
        np.testing.assert_allclose(song.spectrogram, expected, atol=1e-3)  # see `assert_same_output`
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


def test_the_line_on_the_emotion_ends_where_songs_end(flow, music):
    louder = music + 0.2 * FELT[:, 1, None, None, None] * 0.5  # louder with arousal; songs only up to 0.5
    model = flow()
    model.fit(louder, 0.5 * FELT)
    vectors = torch.zeros(3, model.principal.size)
    level = model.principal.decode(vectors, torch.tensor([[0.0, 0.2], [0.0, 0.5], [0.0, 1.0]]))[:, :128].mean(dim=1)
    assert level[1] > level[0] + 0.03
    assert level[2] == pytest.approx(level[1].item(), abs=0.01)
