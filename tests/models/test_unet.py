"""The U-Net generator: latents, conditions, sampling."""

import pytest
import torch

from musemo_hf import MusemoUNetGenerator
from musemo_hf.models.unet.conditions import SCALES
from musemo_hf.models.unet.emotion_map import fit_emotion_map, map_emotion
from musemo_hf.models.unet.flow_sampling import Sampling

UNET = {"n_frames": 40, "channels": (32, 32), "attention": (False, True), "condition_width": 16}
EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6], [0.0, 0.0]])


@pytest.fixture
def unet():
    """`unet(**changes)`: a small network, all of whose weights are drawn at random, always the same."""

    def make(**changes):
        torch.manual_seed(0)
        model = MusemoUNetGenerator(**(UNET | changes))
        for value in model.parameters():
            torch.nn.init.normal_(value, std=0.1)
        return model.eval()

    return make


def test_a_network_that_learnt_nothing_predicts_what_is_best_for_white_noise():
    model = MusemoUNetGenerator(**UNET)
    latents, t = torch.randn(3, 1, 128, 40), torch.tensor([0.0, 0.5, 1.0])
    velocity = model(latents, t, EMOTIONS).velocity
    # of noise - data given x: -x where x is data, nothing where x has equal shares of both, x where x is noise
    expected = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1) * latents
    torch.testing.assert_close(velocity, expected)


def test_latents_have_mean_0_and_variance_1_in_each_band(unet):
    bands = torch.linspace(-0.5, 0.5, 128).view(1, 1, 128, 1)
    music = bands + (0.05 + 0.1 * bands.abs()) * torch.randn(8, 1, 128, 50)
    model = unet()
    model.fit(music)
    latents = model.bands.encode(music)
    torch.testing.assert_close(latents.mean(dim=(0, 1, 3)), torch.zeros(128), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std(dim=(0, 1, 3)), torch.ones(128), atol=1e-2, rtol=0)
    torch.testing.assert_close(model.bands.decode(latents), music)
    with pytest.raises(ValueError, match=r"expected \(N, 1, 128, n_frames\), got \(8, 128, 50\)"):
        model.fit(music[:, 0])


def test_units_become_the_same_steps_of_the_scale():
    values = SCALES["tempo"].normalise(torch.tensor([40.0, 60.0, 120.0, 240.0, torch.nan]))
    assert values[[0, 3]].tolist() == [-1, 1]
    assert (values[2] - values[1]).item() == pytest.approx((values[3] - values[2]).item(), abs=1e-5)
    assert values[4].isnan()
    assert SCALES["loudness"].normalise(torch.tensor([-10.0, 20.0])).tolist() == [-1, 0]


def test_white_noise_stays_white_and_smooth_music_has_slow_cosines(unet):
    cosines = unet().cosines
    torch.testing.assert_close(cosines.basis @ cosines.basis.T, torch.eye(16), atol=1e-5, rtol=0)
    latents = torch.randn(2, 1, 128, 40)
    torch.testing.assert_close(cosines.decode(cosines.encode(latents)), latents, atol=1e-5, rtol=1e-5)
    smooth = torch.randn(8, 1, 33, 11).repeat_interleave(4, 2).repeat_interleave(4, 3)[:, :, 2:130, 2:42]
    cosines.fit(smooth + 0.1 * torch.randn_like(smooth))
    deviation = cosines.deviation.mean(dim=1).flatten()
    assert deviation.argmax() == 0
    assert deviation[-1] < 0.2 * deviation[0]
    assert (cosines.deviation.square().sum(dim=0) / 16).mean().item() == pytest.approx(1.01, abs=0.2)


@pytest.mark.parametrize("n_frames", [8, 40, 320])
def test_any_number_of_frames_that_can_be_halved(unet, n_frames):
    latents = torch.randn(1, 1, 128, n_frames)
    assert unet()(latents, torch.tensor([0.4]), EMOTIONS[:1]).velocity.shape == latents.shape


def test_no_moment_is_told_from_another(unet):
    latents = torch.randn(1, 1, 128, 1).expand(-1, -1, -1, 320)  # the same at all times
    with torch.no_grad():
        velocity = unet()(latents, torch.tensor([0.4]), EMOTIONS[:1]).velocity
    phase = velocity[..., 144:176].unflatten(-1, (4, 8))  # far from the edges, by the place in a patch of a patch
    torch.testing.assert_close(phase, phase[..., :1, :].expand_as(phase), atol=1e-2, rtol=1e-3)
    assert phase.std() > 0.1


def test_sample_i_depends_on_its_seed_and_its_emotion_alone(unet, assert_same_output):
    model = unet()
    options = {"num_inference_steps": 3, "guidance_scale": 2.0}
    made = model.generate(EMOTIONS, seed=[5, 6, 7], **options)
    assert made.shape == (3, 1, 128, 40)
    assert made.abs().max() <= 1
    assert torch.equal(made, model.generate(EMOTIONS, seed=5, **options))
    for i in range(3):
        assert_same_output(model.generate(EMOTIONS[i : i + 1], seed=5 + i, **options), made[i : i + 1])
    assert (made - model.generate(EMOTIONS, seed=[5, 6, 8], **options)).abs().amax(dim=(1, 2, 3)).gt(1e-3).tolist() == [
        False,
        False,
        True,
    ]
    assert (made - model.generate(-EMOTIONS, seed=5, **options)).abs().amax(dim=(1, 2, 3)).gt(1e-3)[:2].all()
    noise = model.sample_noise(3, 5)
    assert torch.equal(made, model.generate(EMOTIONS, noise=noise, **options))


def test_guidance_leaves_the_emotion_out_at_0_and_extrapolates_above_1(unet):
    model = unet()
    none, once, twice = (
        model.generate(EMOTIONS[:1], seed=0, num_inference_steps=1, guidance_scale=scale) for scale in (0.0, 1.0, 2.0)
    )
    other = model.generate(EMOTIONS[1:2], seed=0, num_inference_steps=1, guidance_scale=0.0)
    assert torch.equal(none, other)
    inside = (none.abs() < 1) & (once.abs() < 1) & (twice.abs() < 1)
    torch.testing.assert_close((twice - once)[inside], (once - none)[inside], atol=1e-4, rtol=1e-3)
    assert (once - none).abs().max() > 1e-3


def test_the_callback_sees_each_step_and_may_change_it(unet):
    model, seen = unet(), []

    def callback(index, timestep, latents):
        seen.append((index, round(timestep.item())))
        return torch.zeros_like(latents)

    made = model.generate(EMOTIONS[:1], seed=0, num_inference_steps=4, callback=callback)
    assert seen == [(0, 999), (1, 924), (2, 268), (3, 10)]
    assert torch.equal(made, model.bands.decode(torch.zeros(1, 1, 128, 40)))


def test_the_last_prediction_is_at_the_same_time_in_any_number_of_steps():
    times = {steps: Sampling(steps, 1.5).scheduler().sigmas for steps in (2, 4, 8, 20)}
    assert {round(each[-2].item(), 4) for each in times.values()} == {0.011}
    logits = 6 - 10.5 / 19 * torch.arange(1, 20)  # evenly spaced
    torch.testing.assert_close(times[20][1:-1], logits.sigmoid(), atol=1e-6, rtol=0)
    assert Sampling(1, 1.5).scheduler().sigmas.tolist() == pytest.approx([1, 0], abs=1e-5)
    part = Sampling(4, 1.5).scheduler(0.3).sigmas
    assert part[[0, -1]].tolist() == [pytest.approx(0.3), 0]
    assert (part.diff() < 0).all()


def test_a_condition_is_left_out_where_it_is_missing_or_nan(unet):
    model = unet(conditions=("tempo",), augmentations=("gain",))
    options = {"seed": 0, "num_inference_steps": 1, "guidance_scale": 1.0}
    plain = model.generate(EMOTIONS, **options)
    left_out = model.generate(EMOTIONS, conditions={"tempo": torch.full((3,), torch.nan)}, **options)
    assert torch.equal(plain, left_out)
    changed = model.generate(EMOTIONS, conditions={"tempo": torch.tensor([60.0, torch.nan, 120.0])}, **options)
    assert (changed - plain).abs().amax(dim=(1, 2, 3)).gt(1e-4).tolist() == [True, False, True]
    assert torch.equal(plain, model.generate(EMOTIONS, conditions={"gain": torch.zeros(3)}, **options))


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"tempi": torch.zeros(3)}, "expected conditions out of tempo, gain, got tempi"),
        ({"tempo": torch.zeros(2)}, r"expected 3 values of tempo, one for each clip, got \(2,\)"),
        ({"tempo": torch.tensor([90.0, 0.0, 90.0])}, "expected tempo from 40 to 240 beats per minute, got .* 0 to 90"),
        ({"tempo": torch.tensor([1000.0] * 3)}, "expected tempo from 40 to 240 .* got values from 1000 to 1000"),
        ({"gain": torch.tensor([0.0, 2.0, 0.0])}, "expected gain from -1 to 1, got values from 0 to 2"),
    ],
)
def test_conditions_that_are_none(unet, conditions, message):
    with pytest.raises(ValueError, match=message):
        unet(conditions=("tempo",), augmentations=("gain",)).generate(EMOTIONS, seed=0, conditions=conditions)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_frames": 0}, "expected at least 1 frame, got 0"),
        ({"channels": (32, 32, 32)}, "attention for each"),
        ({"n_mels": 100}, "mel bands that 8 divides"),
        ({"channels": (32, 48)}, "of 32 with attention"),
        ({"conditions": ("valence",)}, "expected different conditions"),
        ({"emotion_map": ((1.0, 0.0), (0.0, 1.0))}, r"expected emotion_map of shape \(2, 3\)"),
        ({"emotion_range": ((0.5, -0.5), (0.0, 1.0))}, r"expected pairs \(least, greatest\) in emotion_range"),
    ],
)
def test_sizes_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        MusemoUNetGenerator(**(UNET | changes))


@pytest.mark.parametrize(
    ("emotion", "options", "message"),
    [
        ([[5.0, 6.0]], {}, r"in \[-1, 1\], got values from 5 to 6; DEAM's 1-9 maps"),
        ([0.0, 0.0], {}, r"expected emotion of shape \(B, 2\)"),
        (EMOTIONS, {"num_inference_steps": 0}, "expected at least 1 step"),
        (EMOTIONS, {"num_inference_steps": 2.5}, "expected at least 1 step"),
        (EMOTIONS, {"guidance_scale": float("nan")}, "a guidance scale from 0 on"),
        (EMOTIONS, {"noise": torch.zeros(3, 7)}, r"expected noise of shape \(3, 5120\), got \(3, 7\)"),
        (EMOTIONS, {"seed": [1, 2]}, "expected one seed, or 3 of them, got 2"),
    ],
)
def test_bad_inputs_of_generate(unet, emotion, options, message):
    with pytest.raises(ValueError, match=message):
        unet().generate(emotion, **options)


def test_half_precision_spares_the_bands(unet, tmp_path):
    model = unet()
    model.fit(0.3 * torch.randn(8, 1, 128, 40))
    expected = model.generate(EMOTIONS, seed=0, num_inference_steps=2)
    model.half().save_pretrained(tmp_path)
    loaded = MusemoUNetGenerator.from_pretrained(tmp_path)
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}
    assert (loaded.generate(EMOTIONS, seed=0, num_inference_steps=2) - expected).abs().mean() < 0.01
    half = MusemoUNetGenerator.from_pretrained(tmp_path, torch_dtype=torch.bfloat16)
    assert half.bands.mean.dtype == torch.float32
    assert (half.generate(EMOTIONS, seed=0, num_inference_steps=2) - expected).abs().mean() < 0.05


def test_the_calibration_inverts_what_is_recognised():
    generator = torch.Generator().manual_seed(0)
    requested = torch.rand(200, 2, generator=generator) - 0.5
    slopes, offset = torch.tensor([[0.5, 0.2], [-0.1, 0.7]]), torch.tensor([0.1, -0.2])
    recognised = requested @ slopes.T + offset + 0.02 * torch.randn(200, 2, generator=generator)
    emotion_map = fit_emotion_map(requested, recognised)
    wanted = torch.tensor([[0.1, -0.1], [0.0, 0.1]])
    asked = map_emotion(wanted, emotion_map, None)
    torch.testing.assert_close(asked @ slopes.T + offset, wanted, atol=0.02, rtol=0)
    assert torch.equal(map_emotion(wanted, None, None), wanted)


def test_the_calibration_wants_clips_to_be_recognised_as_songs_are():
    generator = torch.Generator().manual_seed(0)
    requested, labels = torch.rand(2, 200, 2, generator=generator) - 0.5
    slopes, of_songs = torch.tensor([[0.3, 0.2], [0.0, 0.6]]), torch.tensor([[0.4, 0.3], [0.0, 0.8]])
    songs = labels, labels @ of_songs.T + 0.05
    emotion_map = fit_emotion_map(requested, requested @ slopes.T - 0.02, songs)
    wanted = torch.tensor([[0.2, -0.1], [-0.1, 0.1]])
    asked = map_emotion(wanted, emotion_map, None)
    torch.testing.assert_close(asked @ slopes.T - 0.02, wanted @ of_songs.T + 0.05, atol=1e-5, rtol=0)


def test_the_calibration_keeps_wishes_apart_and_within_the_range_of_songs():
    steep, ends = ((3.0, 0.0, 0.0), (0.0, 3.0, 0.0)), ((-0.6, 0.6), (-0.5, 0.7))
    wanted = torch.linspace(-0.6, 0.6, 25)[:, None].expand(-1, 2)
    asked = map_emotion(wanted, steep, ends)
    assert (asked.diff(dim=0) > 0).all()
    low, high = torch.tensor(ends).T
    assert ((asked > low) & (asked < high)).all()
    near = wanted.abs().amax(dim=1) < 0.1
    torch.testing.assert_close(asked[near], 3 * wanted[near])


def test_a_calibrated_model_asks_for_another_emotion_and_keeps_its_map(unet, tmp_path):
    plain, options = unet(), {"seed": 0, "num_inference_steps": 1}
    model = unet(emotion_map=((2.0, 0.0, 0.1), (0.0, 1.0, 0.0)), emotion_range=((-0.5, 0.5), (-1.0, 1.0)))
    expected = plain.generate([[0.2, 0.2], [0.3, -0.4]], **options)
    torch.testing.assert_close(model.generate([[0.05, 0.2], [0.1, -0.4]], **options), expected)
    model.save_pretrained(tmp_path)
    again = MusemoUNetGenerator.from_pretrained(tmp_path)
    torch.testing.assert_close(again.generate([[0.05, 0.2], [0.1, -0.4]], **options), expected)


@pytest.mark.parametrize(
    ("requested", "recognised", "message"),
    [
        (torch.rand(10, 2), torch.rand(10, 2), "expected at least 20 emotions, requested and recognised"),
        (torch.rand(50, 2), torch.rand(40, 2), r"got \(50, 2\) and \(40, 2\)"),
        (torch.rand(50, 2), torch.zeros(50, 2), "by a slope of 0.1 at least in every direction, got 0.000"),
    ],
)
def test_calibrations_that_cannot_be(requested, recognised, message):
    with pytest.raises(ValueError, match=message):
        fit_emotion_map(requested, recognised)


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize(("n_clips", "guidance"), [(3, 1.0), (1, 2.0), (5, 2.0)])
def test_threads_over_clips_change_nothing(unet, bfloat16, n_clips, guidance):
    model, threads, made = unet(), torch.get_num_threads(), []
    seen = []
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append((len(inputs[0]), torch.get_num_threads())))
    try:
        for number in (1, 4):
            torch.set_num_threads(number)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                made.append(model.generate(EMOTIONS.repeat(2, 1)[:n_clips], 0, None, 1, guidance))
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
    size = n_clips * (1 if guidance == 1 else 2)
    assert seen[0] == (size, 1)
    parts = min(4, size)
    assert len(seen) == 1 + parts
    assert sum(clips for clips, _ in seen[1:]) == size
    assert {number for _, number in seen[1:]} == {4 // parts}
    torch.testing.assert_close(made[0], made[1], atol=2e-2 if bfloat16 else 1e-5, rtol=0)


def test_an_error_within_a_thread_is_raised_and_leaves_the_threads_of_torch(unet, monkeypatch):
    model, threads = unet(), torch.get_num_threads()
    monkeypatch.setattr(model, "predict", lambda *_: 1 / 0)
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError):
            model.generate(EMOTIONS, seed=0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
