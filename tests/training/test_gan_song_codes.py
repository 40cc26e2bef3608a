"""Training of a GAN with codes of the songs in the place of noise."""

import pytest
import torch

from musemo_hf import MusemoGanConfig
from musemo_hf.training.clips import Clips
from musemo_hf.training.fade import fade_of, without_fade
from musemo_hf.training.gan.song_codes import song_codes
from musemo_hf.training.gan.trainer import GanTrainer

COLUMNS = {"preset": "modern", "column_noise_dim": 4, "conditioning": "both"}
SMALL = {"n_frames": 32, "generator_channels": 16, "discriminator_channels": 4, "group_norm_groups": 2, "song_dim": 6}


@pytest.fixture
def trainer(clips, gan_training, tmp_path):
    def make(folder="run", network=COLUMNS, **changes):
        settings = {"loss": "rpgan", "r1_gamma": 1.0, "r2_gamma": 1.0, "augmentation": "roll"}
        settings |= {"balance": False, "instance_noise": 0.0, "lr_decay": 0.5}
        config = MusemoGanConfig(**(SMALL | network))
        return GanTrainer(config, gan_training(**(settings | changes)), clips, tmp_path / folder)

    return make


def test_codes_are_like_noise_that_the_emotion_does_not_tell(clips):
    codes = song_codes(clips, 6)
    torch.testing.assert_close(codes.mean(dim=0), torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(codes.T), torch.eye(6), atol=1e-3, rtol=0)
    products = codes.T @ (clips.emotion - clips.emotion.mean(dim=0)) / len(clips)
    assert products.abs().max() < 1e-4
    with pytest.raises(ValueError, match="expected more songs than the 40 values that describe one, got 40"):
        song_codes(clips, 40)


def test_the_noise_of_a_batch_begins_with_the_codes(trainer, clips):
    run = trainer()
    batch = run._batch()
    assert batch.spectrogram.shape == (4, 1, 128, 32)
    assert torch.equal(batch.noise[:, :6], batch.codes)
    assert batch.condition.shape == (4, 8)
    for mel, emotion, code in zip(batch.spectrogram, batch.emotion, batch.codes, strict=True):
        (song,) = (clips.emotion == emotion).all(dim=1).nonzero()[:, 0]
        assert torch.equal(code, run.song_codes[song])
        assert torch.equal(clips.spectrogram[song], mel)


def test_a_run_that_is_cut_off_goes_on_to_the_same_weights(trainer, state, assert_same, interrupt):
    whole = trainer("whole")
    whole.train()
    interrupt(trainer("cut"), 5)
    resumed = trainer("cut")
    made = resumed.train()
    assert_same(state(whole), state(resumed))
    assert made.generate(torch.zeros(2, 2), seed=0).shape == (2, 1, 128, 32)


def test_silence_at_the_beginning_is_taken_out(trainer, clips):
    run = trainer(fade_frames=3)
    mended, frames = run.clips.spectrogram, clips.spectrogram
    assert torch.equal(mended[..., 3:], frames[..., 3:])
    for place in range(3):
        assert torch.equal(mended[..., place], frames[..., 5 - place])
    assert torch.equal(run._batch().spectrogram, mended[[_index(run.clips, each) for each in run._batch().emotion]])
    assert torch.equal(without_fade(clips, 0).spectrogram, frames)
    with pytest.raises(ValueError, match="expected clips of at least 34 frames for fade_frames 17, got 32"):
        trainer(fade_frames=17)
    with pytest.raises(ValueError, match="expected fade_frames of at least 0, got -1"):
        trainer(fade_frames=-1)


def test_clips_fade_in_as_songs_do(trainer, clips):
    faded = Clips(clips.spectrogram.clone(), clips.emotion)
    faded.spectrogram[..., 0], faded.spectrogram[..., 1] = -1.0, faded.spectrogram[..., 2] - 0.25
    fade = fade_of(faded, 2)
    expected = [(-1 - faded.spectrogram[..., 3]).mean().item(), -0.25]
    assert fade == pytest.approx(expected, abs=1e-5)
    config = MusemoGanConfig(**(SMALL | COLUMNS), fade_in=fade)
    generator = trainer().averaged_model
    plain = generator.generate(torch.zeros(2, 2), seed=0)
    generator.config = config
    made = generator.generate(torch.zeros(2, 2), seed=0)
    assert torch.equal(made[..., 2:], plain[..., 2:])
    torch.testing.assert_close(made[..., :2], (plain[..., :2] + torch.tensor(fade)).clamp(-1, 1))
    assert trainer("faded", fade_frames=2).averaged_model.config.fade_in == fade_of(clips, 2)
    with pytest.raises(ValueError, match="expected fade_in of at most 32 frames, got 33"):
        MusemoGanConfig(**SMALL, fade_in=[0.0] * 33)


def _index(clips, emotion):
    (song,) = (clips.emotion == emotion).all(dim=1).nonzero()[:, 0]
    return song.item()
