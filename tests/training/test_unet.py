"""Training of the U-Net generator: crops, augmentation, pictures, and what it learns."""

import math
from dataclasses import replace

import librosa
import numpy as np
import pytest
import torch

from musemo_hf import MusemoUNetGenerator, MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.models.unet.beat import find_beat, later
from musemo_hf.models.unet.descriptors import DESCRIPTORS
from musemo_hf.training.checkpoint import checkpoints, read_state
from musemo_hf.training.clips import Clips
from musemo_hf.training.log import read_statistics
from musemo_hf.training.recogniser.emotion_calibration import _recognised_songs, calibrate
from musemo_hf.training.unet.crops import AUGMENTATIONS, augment, crop, draw_augmentation, draw_starts
from musemo_hf.training.unet.extrapolation import extrapolate, own_clips
from musemo_hf.training.unet.initial_weights import check_fold, take_weights
from musemo_hf.training.unet.measures import brightness, draw_given, leave_out, loudness, measure, shares_of, tempo
from musemo_hf.training.unet.settings import UNetTraining
from musemo_hf.training.unet.trainer import UNetTrainer

CONFIG = {"n_frames": 32, "channels": (32, 32), "attention": (False, True), "condition_width": 16}


@pytest.fixture
def trainer(clips, tmp_path):
    def make(folder="run", config=None, songs=clips, **changes):
        short = {"steps": 4, "batch_size": 4, "crop_frames": 16, "log_every": 1, "checkpoint_every": 2}
        training = UNetTraining(**(short | {"warmup_steps": 2, "pictures": 0} | changes))
        return UNetTrainer(CONFIG | (config or {}), training, songs, tmp_path / folder)

    return make


def test_crops_are_parts_of_their_clips_from_everywhere():
    clips = torch.arange(50.0).expand(200, 1, 3, 50) + 100 * torch.arange(200).view(200, 1, 1, 1)
    starts = draw_starts(200, 50, 20, torch.Generator().manual_seed(0))
    assert set(starts.tolist()) == set(range(31))
    made = crop(clips, starts, 20)
    assert made.shape == (200, 1, 3, 20)
    assert torch.equal(made[:, 0, 1, 0], clips[:, 0, 0, 0] + starts)
    assert torch.equal(made.diff(dim=-1), torch.ones(200, 1, 3, 19))


def test_augmentation_changes_its_share_by_what_the_network_is_given():
    drawn = draw_augmentation(AUGMENTATIONS, 4000, 0.25, torch.Generator().manual_seed(0))
    for name, amounts in drawn.items():
        assert -1 <= amounts.min() < -0.8, name
        assert 0.8 < amounts.max() <= 1, name
    assert drawn["gain"].ne(0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert {round(3 * value) for value in drawn["band_shift"].tolist()} == set(range(-3, 4))
    music = torch.linspace(-0.5, 0.5, 128).view(1, 1, 128, 1).repeat(3, 1, 1, 6)
    louder = augment(music, {"gain": torch.tensor([0.0, 1.0, -0.5])})
    expected = torch.tensor([0.0, 3.0, -1.5]).view(3, 1, 1, 1).expand_as(music)
    torch.testing.assert_close(50 * (louder - music), expected, atol=1e-4, rtol=0)
    moved = augment(music, {"band_shift": torch.tensor([0.0, 1.0, -1 / 3])})
    assert torch.equal(moved[0], music[0])
    assert torch.equal(moved[1, :, 3:], music[1, :, :-3])
    assert torch.equal(moved[2, :, :-1], music[2, :, 1:])
    assert augment(torch.full((1, 1, 4, 2), 0.99), {"gain": torch.ones(1)}).max() == 1


def test_what_is_measured():
    decibels = np.full((128, 431), -60, np.float32)
    decibels[40, :] = 20
    assert loudness(decibels) == pytest.approx(20, abs=0.1)
    assert brightness(decibels) == pytest.approx(librosa.mel_frequencies(130, fmin=0, fmax=11025)[41], rel=0.05)
    beats = np.full((128, 431), -30, np.float32)
    beats[:, (np.arange(20) * 60 / 90 * 22050 / 512).astype(int)[:15]] = 10  # 90 beats per minute
    assert tempo(beats) == pytest.approx(90, rel=0.05)
    assert tempo(np.roll(beats, 5, axis=1)) == pytest.approx(90, rel=0.05)


def test_measures_are_given_for_their_share(clips):
    measured = measure(clips, ("loudness", "tempo"))
    assert {name: value.shape for name, value in measured.items()} == {"loudness": (40,), "tempo": (40,)}
    arousal = clips.emotion[:, 1]  # which is the level of these clips
    assert torch.corrcoef(torch.stack([measured["loudness"], arousal]))[0, 1] > 0.8
    given = draw_given(measured, 4000, 0.6, torch.Generator().manual_seed(0))
    assert given["tempo"].float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert (given["tempo"] & given["loudness"]).float().mean().item() == pytest.approx(0.15, abs=0.03)
    with pytest.raises(ValueError, match="expected conditions out of loudness, brightness, tempo, got genre"):
        measure(clips, ("genre",))


def test_a_requested_loudness_is_followed(trainer, clips):
    unfelt = Clips(clips.spectrogram, torch.zeros(40, 2))  # otherwise arousal would tell the level
    settings = {"condition_share": 1.0, "steps": 120, "batch_size": 8, "lr": 3e-3, "checkpoint_every": 0}
    settings |= {"time_mean": 4.0, "time_deviation": 1.0}  # where nothing else tells the level
    made = trainer(config={"conditions": ("loudness",)}, songs=unfelt, ema_decay=0.9, **settings).train()
    loudness = torch.tensor([-7.0, 47.0]).repeat_interleave(4)
    clips = made.generate(torch.zeros(8, 2), seed=0, conditions={"loudness": loudness}, num_inference_steps=5)
    quiet, loud = clips.mean(dim=(1, 2, 3)).chunk(2)
    assert (loud.mean() - quiet.mean()).item() > 0.1


def test_genres_are_learnt_from_metadata_and_left_out_of_some_crops(trainer, clips):
    named = replace(clips, genre=("Rock", "jazz-Pop", "n/a", "Hip-Hop-Rock") * 10)
    shares = shares_of(named, ("Jazz", "Rock", "Hip-Hop"))
    assert shares[:4].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0.5, 0.5]]
    given = {"genre": torch.tensor([True, False, True]), "tempo": torch.tensor([False, True, True])}
    left = leave_out({"genre": shares[1:4], "tempo": torch.tensor([0.1, 0.2, 0.3])}, given)
    assert left["genre"].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0.5, 0.5]]
    assert left["tempo"].isnan().tolist() == [True, False, False]
    changes = {"genres": ("Jazz", "Rock")}
    made = trainer(config=changes, songs=named, condition_share=1.0, steps=8, checkpoint_every=0, ema_decay=0.5).train()
    assert made.network.conditions.genre.embed.weight.abs().amax(dim=0).gt(0).all()  # each genre, and "unknown"
    with pytest.raises(ValueError, match=r'are Jazz, Rock, got none: name songs .* --set "unet.genres=\[\]"'):
        trainer(config=changes)
    with pytest.raises(ValueError, match=r"expected a genre out of Blues, .* got 'Polka'"):
        trainer(config={"genres": ("Polka",)}, songs=named)


def test_a_training_begins_with_the_weights_of_a_trained_model_and_adds_genres(trainer, clips, tmp_path):
    had = {"conditions": ("loudness",)}
    calibration = {"emotion_map": ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0))}
    first = trainer("first", config=had | calibration, lr=3e-3).train()
    first.save_pretrained(tmp_path / "trained")
    louder = replace(clips, spectrogram=(clips.spectrogram + 0.1).clamp(max=1), genre=("Rock",) * 40)
    settings = {"initial": str(tmp_path / "trained"), "steps": 20, "checkpoint_every": 20, "ema_decay": 0.5}
    run = trainer("second", config=had | {"genres": ("Jazz", "Rock")}, songs=louder, **settings)
    begun = run.averaged_model
    assert torch.equal(begun.bands.mean, first.bands.mean)  # and not that of the louder songs
    assert begun.config.emotion_map is None
    latents, t = torch.randn(2, 1, 128, 32), torch.tensor([0.3, 0.8])
    genre = {"genre": torch.eye(2)}
    for model in (first, begun):
        model.eval()
    before = first(latents, t, clips.emotion[:2]).velocity
    assert torch.equal(begun(latents, t, clips.emotion[:2], conditions=genre).velocity, before)
    made = run.train().eval()
    velocities = [made(latents, t, clips.emotion[:2], conditions=given).velocity for given in ({}, genre)]
    assert not torch.equal(*velocities)
    again = trainer("second", config=had | {"genres": ("Jazz", "Rock")}, songs=louder, **settings)
    assert torch.equal(again.train()(latents, t, clips.emotion[:2]).velocity, velocities[0])  # resumed at its end


def test_descriptors_are_learnt_and_added_to_a_trained_model(trainer, clips, tmp_path):
    loud = torch.arange(40) % 2 == 1
    songs = replace(
        clips, spectrogram=(0.3 * clips.spectrogram + 0.5 * (loud.float().view(-1, 1, 1, 1) - 0.5)).clamp(-1, 1)
    )
    first = trainer("first", songs=songs).train().eval()
    first.save_pretrained(tmp_path / "trained")
    settings = {"initial": str(tmp_path / "trained"), "steps": 250, "lr": 3e-3, "ema_decay": 0.9, "checkpoint_every": 0}
    settings |= {"batch_size": 8, "time_mean": 4.0, "time_deviation": 1.0}  # where nothing else tells the level
    run = trainer("second", config={"n_descriptors": 3}, songs=songs, left_out_descriptors=0.2, **settings)
    begun, latents, t = run.averaged_model.eval(), torch.randn(2, 1, 128, 32), torch.tensor([0.3, 0.8])
    before = first(latents, t, clips.emotion[:2]).velocity
    for given in ({}, {"descriptors": begun.describe(songs.spectrogram[:2])}):
        assert torch.equal(begun(latents, t, clips.emotion[:2], conditions=given).velocity, before)
    made = run.train().eval()
    wanted = {"descriptors": made.describe(songs.spectrogram[:8])}
    options = {"seed": [0] * 8, "num_inference_steps": 5}  # of the same noise, so that nothing else differs
    found = made.generate(torch.zeros(8, 2), conditions=wanted, **options).mean((1, 2, 3))
    assert found[loud[:8]].min() > found[~loud[:8]].max()


def test_a_beat_is_added_to_a_trained_model_without_effect_and_told_from_where_a_crop_begins(trainer, clips, tmp_path):
    had = {"n_descriptors": 2}
    first = trainer("first", config=had).train().eval()
    first.save_pretrained(tmp_path / "trained")
    run = trainer("second", config=had | {"beat": True}, initial=str(tmp_path / "trained"), left_out_beats=0.5)
    begun, latents, t = run.averaged_model.eval(), torch.randn(2, 1, 128, 32), torch.tensor([0.3, 0.8])
    beat = torch.tensor([[2.0, 0.9, 0.1]] * 2)
    before = first(latents, t, clips.emotion[:2]).velocity
    assert torch.equal(begun(latents, t, clips.emotion[:2], conditions={"beat": beat}).velocity, before)
    torch.testing.assert_close(begun.prior.beats, find_beat(clips.spectrogram)[:, :2])
    starts = torch.arange(40) % 16
    told = run.told_of(np.arange(40), starts, torch.Generator().manual_seed(0))["beat"]
    torch.testing.assert_close(told[:, [0, 2]], later(find_beat(clips.spectrogram), starts)[:, [0, 2]])
    assert 10 <= (told[:, 1] == 0).sum() <= 30
    run.train()
    assert run.average.module.network.unet.conv_in.weight[:, -2:].any()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"channels": (32, 64)}, r"weights fit the configuration, got channels \[32, 32\] -> \[32, 64\]$"),
        ({"conditions": ("tempo",)}, r"got conditions \['loudness'\] -> \['tempo'\]$"),
        ({"genres": ("Rock", "Jazz")}, r"got genres \['Jazz', 'Rock'\] -> \['Rock', 'Jazz'\]$"),
        ({"n_descriptors": 3}, "got n_descriptors 2 -> 3$"),
    ],
)
def test_initial_weights_that_do_not_fit(tmp_path, config, message):
    had = CONFIG | {"conditions": ("loudness",), "genres": ("Jazz", "Rock"), "n_descriptors": 2, "n_training_clips": 9}
    MusemoUNetGenerator(**had).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        take_weights(MusemoUNetGenerator(**(had | config)), tmp_path)
    with pytest.raises(FileNotFoundError, match=r"found none at .* with --set unet_training\.initial=null"):
        take_weights(MusemoUNetGenerator(**had), tmp_path / "none")


def test_the_fold_of_initial_weights_is_held_out_again(tmp_path):
    folder = tmp_path / "generator"
    folder.mkdir()
    check_fold(folder, "DEAM", 2)  # nothing is known of it
    (tmp_path / "report.json").write_text('{"held_out_fold": 1, "corpus": {"name": "DEAM"}}')
    check_fold(folder, "DEAM", 1)
    check_fold(folder, "demonstration corpus", None)
    for fold in (2, None):
        with pytest.raises(ValueError, match=f"was trained without fold 1 of DEAM: expected the same fold, got {fold}"):
            check_fold(folder, "DEAM", fold)


def test_an_unknown_augmentation(trainer):
    with pytest.raises(ValueError, match="expected augmentations out of gain, band_shift, got reverb"):
        trainer(config={"augmentations": ("reverb",)})


def test_a_run(trainer, tmp_path, clips):
    made = trainer(pictures=1).train()
    assert isinstance(made, MusemoUNetGenerator)
    lines = read_statistics(tmp_path / "run" / "unet.jsonl")
    assert [line["step"] for line in lines] == [0, 1, 2, 3]
    assert all(math.isfinite(line["loss"]) and line["gradient"] > 0 for line in lines)
    assert [read_state(found)["step"] for found in checkpoints(tmp_path / "run")] == [2, 4]
    assert made.generate(clips.emotion[:2], seed=0, num_inference_steps=2).shape == (2, 1, 128, 32)
    assert [path.name for path in (tmp_path / "run").glob("*.png")] == ["samples-01.png"]
    assert (tmp_path / "run" / "samples-01.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_are_drawn_after_each_part_and_not_again(trainer, tmp_path):
    run = trainer(pictures=2, steps=200)
    for step, names in ((50, []), (100, ["samples-01.png"]), (150, ["samples-01.png"]), (200, [1, 2])):
        run.step = step
        run.check({})
        found = sorted(path.name for path in (tmp_path / "run").glob("*.png"))
        assert len(found) == len(names)
    first = (tmp_path / "run" / "samples-01.png").stat().st_mtime_ns
    run.step = 100
    run.check({})
    assert (tmp_path / "run" / "samples-01.png").stat().st_mtime_ns == first


def test_whole_clips_have_their_share_and_about_as_many_frames(trainer):
    run = trainer(batch_size=6, whole_share=0.2)
    shapes = [run.shape(step) for step in range(100)]
    assert shapes.count((3, 32)) == 20
    assert shapes.count((6, 16)) == 80
    assert {trainer(whole_share=1.0).shape(step) for step in range(9)} == {(2, 32)}


def test_it_learns_one_clip(trainer):
    beat = torch.where(torch.arange(32) % 8 < 3, 0.5, -0.3) * torch.linspace(0, 20, 128).sin()[:, None]
    one = Clips(beat[None, None], torch.tensor([[0.3, -0.3]]))
    similar = []
    for steps in (1, 100):
        run = trainer(str(steps), songs=one, steps=steps, lr=3e-3, ema_decay=0.9, crop_frames=32, checkpoint_every=0)
        made = run.train().generate(one.emotion.repeat(4, 1), seed=0, num_inference_steps=10)
        # a network that is so young may take the beat for its counterpart, bands up for bands down
        similar.append([torch.corrcoef(torch.stack([m.flatten(), beat.flatten()]))[0, 1].abs().item() for m in made])
    assert max(similar[0]) < 0.2
    assert min(similar[1]) > 0.3


def test_times_are_logit_normal_and_a_tenth_of_emotions_is_dropped(trainer):
    times, dropped = trainer(time_mean=0.5, time_deviation=1.2).draw_times(4000, torch.Generator().manual_seed(0))
    assert torch.logit(times).mean().item() == pytest.approx(0.5, abs=0.05)
    assert torch.logit(times).std().item() == pytest.approx(1.2, abs=0.05)
    assert dropped.float().mean().item() == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop_frames": 12}, "expected crops of a multiple of 8 frames and at most 32, got 12"),
        ({"crop_frames": 40}, "a multiple of 8 frames and at most 32, got 40"),
        ({"crop_frames": 0}, "expected frames"),
        ({"whole_share": 1.5}, r"expected whole_share in \[0, 1\], got 1.5"),
        ({"augmented_share": -0.1}, r"expected augmented_share in \[0, 1\], got -0.1"),
    ],
)
def test_settings_that_do_not_fit(trainer, changes, message):
    with pytest.raises(ValueError, match=message):
        trainer(**changes)


@pytest.fixture
def regression(clips):
    """A recogniser by kernel regression on texture statistics of the clips."""
    config = MusemoViTConfig(
        n_frames=clips.spectrogram.shape[-1], kernel_read_out=True, kernel_statistics=["texture"], network=False
    )
    recogniser = MusemoViTForEmotionRegression(config)
    recogniser.fit_in_closed_form(clips.spectrogram, clips.emotion)
    return recogniser


def test_a_generator_that_learnt_no_emotion_is_not_calibrated(regression, clips):
    model = MusemoUNetGenerator(**CONFIG, num_inference_steps=1, emotion_map=((2.0, 0.0, 0.0), (0.0, 2.0, 0.0)))
    artists = [str(i % 10) for i in range(len(clips))]
    with pytest.raises(ValueError, match=r"follows the requested one by a slope of 0\.1 at least .* got 0\.0"):
        calibrate(model, regression, clips, artists, n_clips=20)
    assert model.config.emotion_map is None


@pytest.mark.parametrize("kind", [{}, {"kernel_read_out": True}])
def test_a_recogniser_whose_answers_for_unknown_songs_are_unknown_calibrates_nothing(vit_config, clips, kind):
    recogniser = MusemoViTForEmotionRegression(MusemoViTConfig(**{**vit_config.to_diff_dict(), **kind}))
    model = MusemoUNetGenerator(**CONFIG, num_inference_steps=1)
    with pytest.raises(ValueError, match="expected a recogniser by kernel regression on statistics"):
        calibrate(model, recogniser, clips, [""] * len(clips), n_clips=20)


def test_songs_are_recognised_without_their_artist(regression, clips):
    one_artist = ["a"] * (len(clips) - 1) + ["b"]
    alone = _recognised_songs(regression, clips, [str(i) for i in range(len(clips))])
    together = _recognised_songs(regression, clips, one_artist)
    assert alone.shape == clips.emotion.shape
    assert not torch.allclose(alone, together)


@pytest.fixture
def trained(tmp_path):
    torch.manual_seed(0)
    model = MusemoUNetGenerator(**CONFIG, n_descriptors=2, n_training_clips=40)
    for value in model.network.parameters():
        torch.nn.init.normal_(value, std=0.05)
    return model


def test_own_clips_have_the_emotions_and_descriptors_of_songs_and_go_on_where_they_stopped(trained, clips, tmp_path):
    trained.prior.fit(trained.bands.encode(clips.spectrogram), clips.emotion, {})
    made, made_for = own_clips(trained, clips, 2, tmp_path / "clips")
    assert torch.equal(made.emotion, clips.emotion)
    assert made.spectrogram.shape == clips.spectrogram.shape
    torch.testing.assert_close(made_for[DESCRIPTORS], trained.describe(clips.spectrogram))
    kept = sorted((tmp_path / "clips").rglob("*.pt"))
    assert len(kept) == math.ceil(len(clips) / 16)
    kept[-1].unlink()
    torch.save(torch.full_like(torch.load(kept[0], weights_only=True), 0.5), kept[0])  # is not made again
    again, _ = own_clips(trained, clips, 2, tmp_path / "clips")
    assert (again.spectrogram[:16] == 0.5).all()
    assert torch.equal(again.spectrogram[16:], made.spectrogram[16:])
    trained.network.position.data.add_(1.0)  # another generator, whose clips are made
    other, _ = own_clips(trained, clips, 2, tmp_path / "clips")
    assert not (other.spectrogram[:16] == 0.5).all()


def test_a_copy_learns_from_own_clips_with_the_descriptors_they_were_made_for(trained, clips, tmp_path):
    trained.prior.fit(trained.bands.encode(clips.spectrogram), clips.emotion, {})
    trained.save_pretrained(tmp_path / "trained")
    made, made_for = own_clips(trained, clips, 2, tmp_path / "clips")
    short = UNetTraining(steps=2, batch_size=4, crop_frames=16, pictures=0, initial=str(tmp_path / "trained"))
    trainer = UNetTrainer(CONFIG | {"n_descriptors": 2}, short, made, tmp_path / "run", made_for=made_for)
    copy = trainer.train()
    assert torch.equal(trainer.told[DESCRIPTORS], made_for[DESCRIPTORS])
    for name, value in trained.prior.state_dict().items():
        assert torch.equal(copy.prior.state_dict()[name], value), name


@pytest.mark.parametrize("weight", [0.0, 1.0, 0.5])
def test_extrapolation_moves_the_network_alone_away_from_the_copy(trained, weight):
    copy, before = MusemoUNetGenerator.from_config(trained.config), trained.network.position.detach().clone()
    copy.bands.mean.fill_(0.3)
    copy.network.position.data.copy_(before + 0.1)
    extrapolate(trained, copy, weight)
    torch.testing.assert_close(trained.network.position.data, before - 0.1 * weight)
    assert not trained.bands.mean.any()
