import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from musemo_hf import (
    MusemoFeatureExtractor,
    MusemoFlowGenerator,
    MusemoGanConfig,
    MusemoGanGenerator,
    MusemoPipeline,
    embedded_checkpoint,
)
from musemo_hf.pipelines.song import PRESETS, TYPICAL_PRESETS


@pytest.fixture(scope="module")
def pipe():
    torch.manual_seed(0)
    config = MusemoGanConfig(n_frames=32, generator_channels=16, discriminator_channels=4, group_norm_groups=2)
    pipe = MusemoPipeline(MusemoGanGenerator(config), MusemoFeatureExtractor(n_frames=32))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def same(first, second):
    np.testing.assert_allclose(first.spectrogram, second.spectrogram, atol=1e-3)
    np.testing.assert_allclose(first.audio, second.audio, atol=1e-3 * np.abs(second.audio).max())


def test_one_song(pipe):
    song = pipe(valence=0.8, arousal=0.7, seed=0)
    assert len(song) == 1
    assert song.audio.dtype == np.float32
    assert song.audio.shape == (pipe.feature_extractor.settings.n_samples(32),)
    assert song.sampling_rate == 22050
    assert song.spectrogram.shape == (128, 32)
    assert -60 <= song.spectrogram.min() <= song.spectrogram.max() <= 40
    assert (song.valence, song.arousal, song.seed) == (pytest.approx(0.8), pytest.approx(0.7), 0)
    assert np.isfinite(song.audio).all()


def test_the_song_is_what_generator_and_extractor_make(pipe):
    song = pipe(valence=0.8, arousal=0.7, seed=5)
    mel = pipe.generator.generate([[0.8, 0.7]], seed=5)
    np.testing.assert_allclose(song.spectrogram, pipe.feature_extractor.to_decibels(mel)[0, 0].numpy(), atol=1e-4)
    np.testing.assert_allclose(song.audio, pipe.feature_extractor.invert(mel)[0].numpy(), atol=1e-5)


def test_batches_and_samples_come_emotion_by_emotion(pipe):
    output = pipe(valence=[0.8, -0.8], arousal=[0.7, -0.6], num_samples=2, seed=10, n_iter=2)
    assert [(round(s.valence, 4), round(s.arousal, 4), s.seed) for s in output.songs] == [
        (0.8, 0.7, 10),
        (0.8, 0.7, 11),
        (-0.8, -0.6, 12),
        (-0.8, -0.6, 13),
    ]
    same(output.songs[2], pipe(valence=-0.8, arousal=-0.6, seed=12, n_iter=2).songs[0])


def test_batch_size_does_not_change_the_songs(pipe):
    together = pipe(valence=0.3, arousal=0.1, num_samples=5, seed=0, n_iter=2, batch_size=5)
    apart = pipe(valence=0.3, arousal=0.1, num_samples=5, seed=0, n_iter=2, batch_size=2)
    for first, second in zip(together.songs, apart.songs, strict=True):
        same(first, second)


def test_seeds(pipe):
    first, again = (pipe(valence=0, arousal=0, seed=4, n_iter=1) for _ in range(2))
    np.testing.assert_array_equal(first.audio, again.audio)
    listed = pipe(valence=[0, 0], arousal=[0, 0], seed=[9, 4], n_iter=1)
    same(listed.songs[1], first.songs[0])
    same(pipe(valence=0, arousal=0, seed=np.int64(4), n_iter=1).songs[0], first.songs[0])
    fresh = pipe(valence=0, arousal=0, n_iter=1)  # no seed: a fresh one, which is reported
    assert not np.allclose(fresh.spectrogram, first.spectrogram, atol=1e-2)
    same(pipe(valence=0, arousal=0, seed=fresh.seed, n_iter=1).songs[0], fresh.songs[0])


def test_attributes_of_one_song_are_refused_for_many(pipe):
    output = pipe(valence=[0, 0.1], arousal=[0, 0.1], seed=0, n_iter=1)
    with pytest.raises(AttributeError, match=r"`audio` is of one song, and there are 2: take it from `\.songs\[i\]`"):
        _ = output.audio
    with pytest.raises(AttributeError, match="nonsense"):
        _ = output.nonsense


def test_walk_moves_the_emotion_and_keeps_the_noise(pipe):
    walk = pipe.walk((-0.8, -0.6), (0.8, 0.7), steps=3, seed=2, n_iter=1)
    assert [round(song.valence, 4) for song in walk.songs] == [-0.8, 0.0, 0.8]
    assert [round(song.arousal, 4) for song in walk.songs] == [-0.6, 0.05, 0.7]
    for song in walk.songs:
        same(song, pipe(valence=song.valence, arousal=song.arousal, seed=2, n_iter=1).songs[0])
        assert song.seed == 2


def test_walk_between_two_seeds_ends_at_both(pipe):
    walk = pipe.walk((0.2, 0.1), (0.5, 0.5), steps=4, seed=2, end_seed=3, n_iter=1)
    assert [song.seed for song in walk.songs] == [2, None, None, 3]
    same(walk.songs[0], pipe(valence=0.2, arousal=0.1, seed=2, n_iter=1).songs[0])
    same(walk.songs[-1], pipe(valence=0.5, arousal=0.5, seed=3, n_iter=1).songs[0])


def test_walk_between_equal_seeds_is_a_walk_of_one_noise(pipe):
    equal = pipe.walk((0, 0), (0.5, 0.5), steps=3, seed=2, end_seed=2, n_iter=1)
    for first, second in zip(equal.songs, pipe.walk((0, 0), (0.5, 0.5), steps=3, seed=2, n_iter=1).songs, strict=True):
        same(first, second)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"valence": 5, "arousal": 7}, r"in \[-1, 1\].*DEAM's 1-9"),
        ({"valence": float("nan"), "arousal": 0}, "expected finite"),
        ({"valence": None, "arousal": 0}, "expected finite"),
        ({"valence": [0, 0.1], "arousal": [0]}, r"as many values of valence as of arousal, got \(2,\) and \(1,\)"),
        ({"valence": [[0.1]], "arousal": [[0.1]]}, "as many values of valence as of arousal"),
        ({"valence": [], "arousal": []}, r"got \(0, 2\)"),
        ({"valence": 0, "arousal": 0, "num_samples": 0}, "expected num_samples as an integer from 1 on, got 0"),
        ({"valence": 0, "arousal": 0, "batch_size": 0}, "expected batch_size as an integer from 1 on, got 0"),
        ({"valence": 0, "arousal": 0, "seed": [1, 2]}, "expected one seed, or 1 of them, got 2"),
    ],
)
def test_refuses(pipe, arguments, message):
    with pytest.raises(ValueError, match=message):
        pipe(**arguments)


@pytest.fixture(scope="module")
def flow_pipe():
    torch.manual_seed(0)
    flow = MusemoFlowGenerator(n_frames=32, n_components=8, width=16, depth=1, n_heads=2, num_inference_steps=4)
    pipe = MusemoPipeline(flow, MusemoFeatureExtractor(n_frames=32))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_a_random_generator_gives_songs_that_their_seeds_give_again(pipe):
    def make(generator, **options):
        return pipe(valence=[0.1, 0.2], arousal=[0, 0], n_iter=1, generator=generator, **options)

    first, again = (make(torch.Generator().manual_seed(3)) for _ in range(2))
    np.testing.assert_array_equal(first.audios, again.audios)
    assert first.songs[0].seed != first.songs[1].seed
    generator = torch.Generator().manual_seed(3)
    make(generator)
    assert make(generator).songs[0].seed != first.songs[0].seed, "it goes on where it was"
    same(pipe(valence=0.2, arousal=0, seed=first.songs[1].seed, n_iter=1).songs[0], first.songs[1])
    listed = make([torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)], batch_size=1)
    assert [song.seed for song in listed.songs] == [first.songs[0].seed] * 2
    with pytest.raises(ValueError, match="expected seed or generator, got both"):
        make(generator, seed=0)
    for wrong in ([generator], [generator, 3], []):
        with pytest.raises(ValueError, match=r"expected one torch.Generator, or 2 of them, got"):
            make(wrong)


def test_output_types(pipe):
    arguments = {"valence": [0.1, 0.2, 0.3], "arousal": [0, 0, 0], "seed": 0, "n_iter": 2, "batch_size": 2}
    output, tensors = pipe(**arguments), pipe(**arguments, output_type="pt")
    n_samples = pipe.feature_extractor.settings.n_samples(32)
    assert output.audios.shape == (3, n_samples)
    np.testing.assert_array_equal(output.audios[1], output.songs[1].audio)
    assert isinstance(tensors.audios, torch.Tensor)
    np.testing.assert_array_equal(tensors.audios.numpy(), output.audios)
    mels = pipe(**arguments, output_type="latent")
    assert (len(mels), mels.songs) == (3, [])
    assert mels.audios.shape == (3, 1, 128, 32)
    torch.testing.assert_close(pipe.feature_extractor.invert(mels.audios, n_iter=2), tensors.audios, atol=1e-4, rtol=0)
    (alone,) = pipe(**arguments, return_dict=False)
    np.testing.assert_array_equal(alone, output.audios)
    np.testing.assert_array_equal(output[0], output.audios)
    with pytest.raises(ValueError, match="expected output_type out of np, pt, latent, got 'mp3'"):
        pipe(**arguments, output_type="mp3")


def test_a_callback_sees_each_step_and_may_change_the_latents(flow_pipe):
    seen = []

    def record(pipeline, step, timestep, tensors):
        seen.append((pipeline, step, float(timestep), tuple(tensors["latents"].shape)))
        return {}

    arguments = {"valence": [0.1, 0.2], "arousal": [0, 0], "seed": 0, "output_type": "latent"}
    plain, watched = flow_pipe(**arguments), flow_pipe(**arguments, callback_on_step_end=record)
    torch.testing.assert_close(watched.audios, plain.audios)
    n_latents = flow_pipe.generator.n_latents
    assert [(pipeline, step, shape) for pipeline, step, _, shape in seen] == [
        (flow_pipe, step, (2, n_latents)) for step in range(4)
    ]
    times = [time for *_, time, _ in seen]
    assert times == sorted(times, reverse=True)
    changed = flow_pipe(**arguments, callback_on_step_end=lambda *a: {"latents": 0 * a[-1]["latents"]})
    assert (changed.audios - plain.audios).abs().max() > 0.01
    none = flow_pipe(**arguments, callback_on_step_end=lambda *a: a[-1].update(), callback_on_step_end_tensor_inputs=[])
    torch.testing.assert_close(none.audios, plain.audios)
    with pytest.raises(ValueError, match="expected callback_on_step_end_tensor_inputs out of latents, got prompt"):
        flow_pipe(**arguments, callback_on_step_end=record, callback_on_step_end_tensor_inputs=["prompt"])


def test_a_gan_has_no_steps(pipe):
    with pytest.raises(ValueError, match="expected num_inference_steps, callback_on_step_end for a flow only"):
        pipe(valence=0, arousal=0, num_inference_steps=3, callback_on_step_end=lambda *_: {})


@pytest.mark.parametrize("name", ["enable_model_cpu_offload", "enable_sequential_cpu_offload", "enable_group_offload"])
def test_offloading_is_refused_clearly(pipe, name):
    with pytest.raises(NotImplementedError, match=r"expected .to\(device\)"):
        getattr(pipe, name)("cuda")


def test_walk_refuses(pipe):
    with pytest.raises(ValueError, match="expected at least 2 steps, got 1"):
        pipe.walk((0, 0), (1, 1), steps=1)
    with pytest.raises(ValueError, match=r"expected valence and arousal in \[-1, 1\]"):
        pipe.walk((0, 0), (1, 2), steps=3)


def test_presets_are_the_five_published_points(pipe):
    assert PRESETS["sad & calm"] == (-0.8, -0.6)
    assert PRESETS["angry & tense"] == (-0.3, 0.8)
    valence, arousal = zip(*PRESETS.values(), strict=True)
    assert len(pipe(valence=valence, arousal=arousal, seed=0, n_iter=1)) == 5


def test_saved_pipeline_loads_as_itself_and_generically(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    assert {"model_index.json", "generator", "feature_extractor"} <= {path.name for path in tmp_path.iterdir()}
    expected = pipe(valence=0.8, arousal=0.7, seed=0, n_iter=2)
    for loader in (MusemoPipeline, DiffusionPipeline):
        loaded = loader.from_pretrained(tmp_path)
        assert type(loaded) is MusemoPipeline
        song = loaded(valence=0.8, arousal=0.7, seed=0, n_iter=2)
        np.testing.assert_allclose(song.audio, expected.audio, rtol=0, atol=1e-3 * np.abs(expected.audio).max())


def test_a_bare_generator_folder_is_enough(pipe, tmp_path):
    pipe.generator.save_pretrained(tmp_path)
    pipe.feature_extractor.save_pretrained(tmp_path)
    loaded = MusemoPipeline.from_pretrained(tmp_path)
    song = loaded(valence=-0.3, arousal=0.8, seed=1, n_iter=2)
    expected = pipe(valence=-0.3, arousal=0.8, seed=1, n_iter=2)
    np.testing.assert_allclose(song.audio, expected.audio, rtol=0, atol=1e-3 * np.abs(expected.audio).max())
    assert MusemoGanGenerator.from_pretrained(tmp_path).config.n_frames == 32
    assert MusemoFeatureExtractor.from_pretrained(tmp_path).n_frames == 32


def test_the_packaged_flow_is_asked_for_another_emotion_by_each_preset():
    generator = MusemoPipeline.from_pretrained(embedded_checkpoint("flow")).generator
    points = torch.tensor([*PRESETS.values(), *TYPICAL_PRESETS.values()])
    asked = generator.calibrated(points)
    assert torch.pdist(asked).min() > 0.02
    low, high = torch.tensor(generator.config.emotion_range).T
    assert ((asked > low) & (asked < high)).all()
