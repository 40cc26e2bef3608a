"""Variations, continuation and infilling of songs, and walks through emotions, by the pipeline."""

import functools

import numpy as np
import pytest
import soundfile
import torch

from musemo_hf import MusemoFeatureExtractor, MusemoGanConfig, MusemoGanGenerator, MusemoPipeline, MusemoUNetGenerator

RATE = 22050
FEW = {"num_inference_steps": 2, "guidance_scale": 1.0, "n_iter": 1}


@pytest.fixture(scope="module")
def pipe():
    torch.manual_seed(0)
    unet = MusemoUNetGenerator(
        n_frames=40, channels=(32, 32), attention=(False, True), condition_width=16, conditions=("tempo",)
    )
    for value in unet.parameters():
        value.data.add_(torch.randn_like(value), alpha=0.03)
    unet.fit(0.2 * torch.randn(4, 1, 128, 40))
    pipe = MusemoPipeline(unet.eval(), MusemoFeatureExtractor(n_frames=40))
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def samples():
    """A tone of 1.5 s, at 22,050 Hz."""
    return (0.2 * np.sin(2 * np.pi * 440 * np.arange(int(1.5 * RATE)) / RATE)).astype(np.float32)


def decibels(pipe, samples):
    return pipe.feature_extractor.to_decibels(pipe.feature_extractor(samples, RATE)["spectrogram"])[0, 0].numpy()


def test_a_variation_for_each_emotion_of_a_file_or_of_samples(pipe, samples, tmp_path):
    output = pipe.vary(samples, [0.8, -0.8], [0.7, -0.6], strength=0.5, seed=3, sampling_rate=RATE, **FEW)
    assert [(song.seed, song.sampling_rate) for song in output.songs] == [(3, RATE), (4, RATE)]
    assert output.songs[0].spectrogram.shape == (128, 65)
    soundfile.write(tmp_path / "song.wav", samples, RATE, subtype="FLOAT")
    from_file = pipe.vary(tmp_path / "song.wav", 0.8, 0.7, strength=0.5, seed=3, **FEW)
    np.testing.assert_allclose(from_file.spectrogram, output.songs[0].spectrogram, atol=1e-2)
    unchanged = pipe.vary(samples, 0.8, 0.7, strength=0.0, sampling_rate=RATE, **FEW)
    whole = slice(0, 37)  # the last frames of a clip that is cut off see silence
    np.testing.assert_allclose(unchanged.spectrogram[:, whole], decibels(pipe, samples)[:, whole], atol=1e-3)
    again = pipe.vary(unchanged.songs[0], 0.8, 0.7, strength=0.0, **FEW)  # a song of the pipeline
    np.testing.assert_allclose(again.spectrogram, unchanged.spectrogram, atol=1e-3)


def test_a_song_is_continued_and_filled_in(pipe, samples):
    longer = pipe.extend(samples, 2.0, 0.5, -0.5, seed=0, sampling_rate=RATE, **FEW)
    assert longer.spectrogram.shape == (128, 65 + 86)
    np.testing.assert_allclose(longer.spectrogram[:, :37], decibels(pipe, samples)[:, :37], atol=1e-3)
    filled = pipe.infill(longer.songs[0], 1.0, 1.5, 0.5, -0.5, seed=0, **FEW)
    changed = np.abs(filled.spectrogram - longer.spectrogram).max(axis=0) > 1e-3
    assert np.flatnonzero(changed).tolist() == list(range(43, 65))


def test_a_journey_is_one_song_through_all_emotions(pipe):
    song = pipe.journey([0.8, 0.0, -0.8], [0.7, 0.0, -0.6], seconds=3.0, seed=1, **FEW).songs[0]
    assert song.spectrogram.shape == (128, 129)
    assert (song.valence, song.arousal) == (pytest.approx(0), pytest.approx(0.1 / 3))
    other = pipe.journey([0.8, 0.0, 0.9], [0.7, 0.0, 0.9], seconds=3.0, seed=1, **FEW).songs[0]
    assert np.array_equal(song.spectrogram[:, :86], other.spectrogram[:, :86])
    assert not np.allclose(song.spectrogram[:, 86:], other.spectrogram[:, 86:], atol=0.1)


def test_a_random_generator_gives_the_seeds_and_latents_are_log_mels(pipe, samples):
    seeds = [int(torch.randint(2**31, (1,), generator=each)) for each in [torch.Generator().manual_seed(4)] * 2]
    song = {"array": samples, "sampling_rate": RATE}
    calls = {
        "vary": ((song, [0.1, 0.1], [0.2, 0.2]), 65),
        "extend": ((song, 0.5, [0.1, 0.1], [0.2, 0.2]), 87),
        "infill": ((song, 0.5, 1.0, [0.1, 0.1], [0.2, 0.2]), 65),
    }
    for name, (arguments, n_frames) in calls.items():
        call = functools.partial(getattr(pipe, name), *arguments, **FEW, output_type="latent")
        drawn, seeded = call(generator=torch.Generator().manual_seed(4)), call(seed=seeds)
        assert drawn.audios.shape == (2, 1, 128, n_frames)
        assert drawn.songs == []
        assert torch.equal(drawn.audios, seeded.audios)
        with pytest.raises(ValueError, match="expected seed or generator, got both"):
            call(seed=0, generator=torch.Generator())
    for name, arguments in {"journey": ([0.1, 0.2], [0.2, 0.3], 2.0), "walk": ((0, 0), (0.5, 0.5), 3)}.items():
        call = functools.partial(getattr(pipe, name), *arguments, **FEW)
        drawn = call(generator=torch.Generator().manual_seed(4), output_type="pt")
        assert isinstance(drawn.audios, torch.Tensor)
        np.testing.assert_array_equal(drawn.audios.numpy(), call(seed=seeds[0]).audios)
        assert torch.equal(call(seed=1, output_type="latent").audios, call(seed=1, output_type="latent").audios)
        with pytest.raises(ValueError, match="expected output_type out of np, pt, latent, got 'wav'"):
            call(output_type="wav")


def test_a_journey_takes_a_tempo_for_each_emotion_and_repeats(pipe):
    def journey(**options):
        return pipe.journey([0.5, 0.5], [0.5, 0.5], 1.8, seed=1, output_type="latent", **FEW, **options).audios

    same, one, each = (journey(conditions={"tempo": tempo}) for tempo in (60, [60, 60], [60, 200]))
    assert torch.equal(same, one)
    assert torch.equal(each[..., :39], same[..., :39])
    assert (each - same)[..., 39:].abs().max() > 1e-4
    assert not torch.equal(journey(repeats=1), journey(repeats=3))
    with pytest.raises(ValueError, match="expected one value of tempo or 2, one for each song, got"):
        journey(conditions={"tempo": [60, 70, 80]})


def test_a_walk_takes_steps_guidance_and_conditions_as_a_call(pipe):
    def walk(**options):
        return pipe.walk((0, 0), (0, 0), 2, seed=1, output_type="latent", **options).audios

    plain = walk(num_inference_steps=2, guidance_scale=1.0)
    call = pipe(0, 0, seed=1, num_inference_steps=2, guidance_scale=1.0, output_type="latent").audios
    torch.testing.assert_close(plain[:1], call)
    assert not torch.equal(walk(num_inference_steps=3, guidance_scale=1.0), plain)
    assert not torch.equal(walk(num_inference_steps=2, guidance_scale=3.0), plain)
    slow = walk(num_inference_steps=2, conditions={"tempo": 60})
    both = walk(num_inference_steps=2, conditions={"tempo": [60, 200]})
    torch.testing.assert_close(both[0], slow[0])
    assert (both[1] - slow[1]).abs().max() > 1e-4
    with pytest.raises(TypeError, match="strength"):
        walk(strength=0.5)


def test_conditions_are_one_value_or_one_for_each_song(pipe):
    options = {"seed": [0, 0], "num_inference_steps": 1, "output_type": "latent"}
    emotions = {"valence": [0.0, 0.0], "arousal": [0.0, 0.0]}
    slow, both = (pipe(**emotions, **options, conditions={"tempo": tempo}).audios for tempo in (60, [60, 200]))
    torch.testing.assert_close(slow[0], slow[1])
    torch.testing.assert_close(both[0], slow[0])
    assert (both[1] - both[0]).abs().max() > 1e-4
    with pytest.raises(ValueError, match=r"expected one value of tempo or 2, one for each song, got \(3,\)"):
        pipe(**emotions, conditions={"tempo": [60, 70, 80]})
    with pytest.raises(ValueError, match="expected tempo from 40 to 240 beats per minute, got"):
        pipe(**emotions, conditions={"tempo": 1000})
    with pytest.raises(ValueError, match="expected conditions out of tempo, got genre"):
        pipe(**emotions, conditions={"genre": 1})


def test_a_genre_is_one_or_one_for_each_song_and_none_for_a_generator_without_genres(pipe, samples):
    torch.manual_seed(0)
    sizes = {"n_frames": 40, "channels": (32, 32), "attention": (False, True), "condition_width": 16}
    unet = MusemoUNetGenerator(genres=("Hip-Hop", "Jazz"), **sizes)
    for value in unet.parameters():
        value.data.add_(torch.randn_like(value), alpha=0.1)
    knowing = MusemoPipeline(unet.eval(), MusemoFeatureExtractor(n_frames=40))
    knowing.set_progress_bar_config(disable=True)
    options = {"seed": [0, 0], "num_inference_steps": 1, "output_type": "latent"}
    emotions = {"valence": [0.0, 0.0], "arousal": [0.0, 0.0]}
    plain, jazz, both = (knowing(**emotions, **options, genre=genre).audios for genre in (None, "jazz", [None, "Jazz"]))
    torch.testing.assert_close(jazz[0], jazz[1])
    torch.testing.assert_close(both, torch.stack([plain[0], jazz[1]]))
    assert (jazz - plain).abs().max() > 1e-4
    varied = [
        knowing.vary(samples, 0, 0, seed=0, sampling_rate=RATE, genre=genre, **FEW).spectrogram
        for genre in (None, "Jazz")
    ]
    assert np.abs(varied[0] - varied[1]).max() > 1e-2
    journeys = [
        knowing.journey([0, 0], [0, 0], 1.8, seed=0, output_type="latent", genre=genre, **FEW).audios
        for genre in ("Jazz", ["Jazz", None], [None, None])
    ]
    assert torch.equal(journeys[0][..., :39], journeys[1][..., :39])
    assert not torch.equal(journeys[0][..., 39:], journeys[1][..., 39:])
    assert not torch.equal(journeys[1][..., :39], journeys[2][..., :39])
    with pytest.raises(ValueError, match="expected a genre out of Hip-Hop, Jazz, got 'polka'"):
        knowing(0, 0, genre="polka")
    with pytest.raises(ValueError, match="expected one genre or 2, one for each song, got 3"):
        knowing(**emotions, genre=["Jazz"] * 3)
    with pytest.raises(
        ValueError, match="expected no genre for a generator that was trained without genres, got 'Jazz'"
    ):
        pipe(0, 0, genre="Jazz")


def test_sound_is_made_in_full_precision_under_autocast(pipe):
    with torch.autocast("cpu", torch.bfloat16):
        song = pipe(0.1, 0.2, seed=0, num_inference_steps=1, n_iter=1).songs[0]
    assert song.audio.dtype == np.float32
    assert np.isfinite(song.audio).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda pipe, song: pipe.vary(song, 0, 0, strength=1.5), r"expected a strength in \[0, 1\], got 1.5"),
        (lambda pipe, song: pipe.vary(song, [0, 0], [0, 0, 0]), "expected as many values of valence as of arousal"),
        (lambda pipe, song: pipe.vary(song, 5, 6), r"DEAM's 1-9 maps by"),
        (lambda pipe, song: pipe.vary(song, 0, 0, seed=[1, 2]), "expected one seed, or 1 of them, got 2"),
        (lambda pipe, song: pipe.extend(song, 0.0, 0, 0), "expected seconds of at least one frame"),
        (
            lambda pipe, song: pipe.infill(song, 1.2, 1.0, 0, 0),
            r"a part within 0 to 1\.51 s, got 1\.2 to 1\.0",
        ),
        (lambda pipe, song: pipe.infill(song, 0, 1.5, 0, 0), "under which frames stay"),
        (lambda pipe, song: pipe.journey([0.1], [0.1, 0.2]), "expected as many values of valence as of arousal"),
    ],
)
def test_bad_inputs(pipe, samples, call, message):
    with pytest.raises(ValueError, match=message):
        call(pipe, {"array": samples, "sampling_rate": RATE})


def test_a_song_that_is_too_short_to_continue(pipe, samples):
    with pytest.raises(ValueError, match=r"at least 0.19 s \(8 frames\), got 0.12 s"):
        pipe.extend(samples[:2100], 1.0, 0, 0, sampling_rate=RATE)


def test_a_gan_changes_no_songs(samples):
    config = MusemoGanConfig(n_frames=32, generator_channels=16, discriminator_channels=4, group_norm_groups=2)
    gan = MusemoPipeline(MusemoGanGenerator(config), MusemoFeatureExtractor(n_frames=32))
    with pytest.raises(ValueError, match="expected a generator that changes songs, a U-Net, got a MusemoGanGenerator"):
        gan.vary(samples, 0, 0, sampling_rate=RATE)
    with pytest.raises(ValueError, match="expected conditions for a U-Net only, got a MusemoGanGenerator"):
        gan(0, 0, conditions={"tempo": 120})
