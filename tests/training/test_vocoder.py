"""The training of a vocoder: its pairs, its losses, and a run that is cut off and resumed."""

import numpy as np
import pytest
import soundfile
import torch

from musemo_hf.audio.mel import log_mel, normalise
from musemo_hf.audio.vocoder_grid import PRESETS, grid_of
from musemo_hf.data.deam.layout import find_deam
from musemo_hf.data.deam.songs import list_songs
from musemo_hf.data.demo_corpus import render_demo_corpus
from musemo_hf.pipelines.vocoders.load import load_vocoder
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.log import read_statistics
from musemo_hf.training.vocoder import losses
from musemo_hf.training.vocoder.discriminators import VocoderDiscriminator
from musemo_hf.training.vocoder.settings import VocoderConfiguration, VocoderTraining
from musemo_hf.training.vocoder.songs import crop, pairs, read_waveforms, song_files
from musemo_hf.training.vocoder.trainer import VocoderTrainer

CONFIG = {"channels": 16, "layers": 1, "expansion": 1}


@pytest.fixture(scope="module")
def waveforms():
    """Three songs of two seconds: a chord that swells, with noise."""
    songs = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        time = np.arange(44100 + 512 * seed) / 22050
        tones = np.sin(2 * np.pi * rng.uniform(100, 3000, 4)[:, None] * time).sum(axis=0)
        song = 0.1 * tones * (1 + np.sin(4 * time)) + 0.02 * rng.standard_normal(len(time))
        songs.append((song.clip(-1, 1) * 32767).astype(np.int16))
    return songs


@pytest.fixture
def trainer(waveforms, tmp_path):
    def make(folder="run", config=CONFIG, **changes):
        short = {"steps": 8, "batch_size": 2, "crop_frames": 12, "discriminator_channels": 2, "adversarial_from": 0.4}
        short |= {"log_every": 1, "checkpoint_every": 3, "lr": 1e-3}
        return VocoderTrainer(config, VocoderTraining(**(short | changes)), waveforms, tmp_path / folder)

    return make


def test_a_crop_has_the_log_mel_of_the_whole_song(waveforms):
    song = torch.from_numpy(waveforms[1].astype(np.float32) / 32767)
    whole = normalise(log_mel(song[None]))
    for place in (0.0, 0.4, 0.999):
        part = crop(waveforms[1], place, 20)
        start = int(place * (len(song) - len(part) + 1))
        mel, samples = pairs(part[None])
        assert mel.shape == (1, 128, 20)
        torch.testing.assert_close(samples[0], song[start + 1024 : start + 1024 + 20 * 512])
        if place == 0:  # a crop that begins at a frame of the song; the others lie between
            torch.testing.assert_close(mel, whole[..., 2:22], atol=1e-4, rtol=0)


def test_the_spectral_loss_of_known_signals(waveforms):
    song = torch.from_numpy(waveforms[0].astype(np.float32) / 32767)[None]
    assert losses.multi_resolution_stft_loss(song, song) == 0
    noise = torch.randn(1, 44100, generator=torch.Generator().manual_seed(0))
    # the norm of the difference is that of the signal, and every logarithm differs by log 2
    assert losses.multi_resolution_stft_loss(2 * noise, noise).item() == pytest.approx(1 + np.log(2), abs=1e-4)
    silence = torch.zeros_like(song, requires_grad=True)
    losses.multi_resolution_stft_loss(silence, song).backward()
    assert torch.isfinite(silence.grad).all()


def test_the_adversarial_losses_of_known_logits():
    right, wrong = [torch.ones(2, 3), torch.ones(2, 5)], [torch.zeros(2, 3), torch.zeros(2, 5)]
    assert losses.discriminator_loss(right, [-logits for logits in right]) == 0
    assert losses.discriminator_loss(right, wrong) == 1
    assert losses.discriminator_loss(wrong, right) == 3
    assert losses.adversarial_loss(right) == 0
    assert losses.adversarial_loss(wrong) == 1
    assert losses.feature_loss(right, wrong) == 1


def test_the_discriminator_tells_a_song_from_noise(waveforms):
    torch.manual_seed(0)
    song = torch.stack([torch.from_numpy(w[:4096].astype(np.float32) / 32767) for w in waveforms])
    noise = 0.1 * torch.randn_like(song)
    judge = VocoderDiscriminator(4)
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3)
    history = []
    for _ in range(15):
        real, fake = judge(song)[0], judge(noise)[0]
        loss = losses.discriminator_loss(real, fake)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert len(real) == 3
    assert history[-1] < 0.6 * history[0]


def test_training_comes_nearer_to_the_songs(trainer, tmp_path):
    run = trainer(steps=60, adversarial_from=1.0, lr=3e-3, ema_decay=0.9)
    vocoder = run.train()
    lines = list(read_statistics(tmp_path / "run/vocoder.jsonl"))
    first, last = (np.mean([line["stft_loss"] for line in part]) for part in (lines[:5], lines[-5:]))
    assert last < 0.8 * first
    assert "adversarial_loss" not in lines[-1]
    vocoder.save_pretrained(tmp_path / "vocoder")
    assert grid_of(load_vocoder(tmp_path / "vocoder")) == PRESETS["musemo"]


def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(trainer, state, assert_same, interrupt):
    whole = trainer("whole")
    whole.train()
    interrupt(trainer("cut"), 5)  # in the adversarial part, after the checkpoint at 3 in the spectral one
    again = trainer("cut")
    again.train()
    assert again.step == 8
    assert_same(state(again), state(whole))


def test_the_discriminator_learns_once_it_takes_part(trainer, tmp_path):
    run = trainer(steps=5)
    before = [value.clone() for value in run.discriminator.parameters()]
    run.train()
    assert any(not torch.equal(a, b) for a, b in zip(before, run.discriminator.parameters(), strict=True))
    lines = list(read_statistics(tmp_path / "run/vocoder.jsonl"))
    assert ["adversarial_loss" in line for line in lines] == [False, False, True, True, True]
    assert all(parameter.requires_grad for parameter in run.discriminator.parameters())


def test_other_songs_do_not_resume_a_run(trainer, waveforms, tmp_path):
    trainer(steps=3).train()
    training = trainer(steps=3).training
    with pytest.raises(ValueError, match="was made with other data"):
        VocoderTrainer(CONFIG, training, waveforms[:2], tmp_path / "run").train()


def test_what_cannot_be_trained_is_refused(trainer, waveforms, tmp_path):
    with pytest.raises(ValueError, match=r"expected a vocoder of MelSettings\(.*hop_length=512.*, got one of .*256"):
        trainer(config=CONFIG | {"n_fft": 1024, "hop_length": 256})
    with pytest.raises(ValueError, match=r"expected songs of at least 8192 samples, got 8000"):
        VocoderTrainer(CONFIG, VocoderTraining(crop_frames=12), [waveforms[0][:8000]], tmp_path)
    with pytest.raises(ValueError, match=r"expected adversarial_from in \[0, 1\], got 2"):
        VocoderTraining(adversarial_from=2)
    with pytest.raises(ValueError, match="expected crop_frames of at least 8, got 4"):
        VocoderTraining(crop_frames=4)


def test_a_fold_is_left_out_and_other_folders_are_used(tmp_path):
    deam = render_demo_corpus(tmp_path / "deam", n_songs=5)
    folds = {song.path: song.fold for song in list_songs(find_deam(deam))[0]}
    fold = next(iter(folds.values()))
    other = tmp_path / "other"
    other.mkdir()
    soundfile.write(other / "a.wav", np.zeros(22050), 22050)
    (other / "b.mp3").write_bytes(b"no audio")
    files = song_files(deam, [fold], [other])
    assert {path for path in files if path in folds} == {path for path in folds if folds[path] != fold}
    assert files[-2:] == [other / "a.wav", other / "b.mp3"]
    assert len(read_waveforms(files[-2:], 0.5)) == 1
    with pytest.raises(ValueError, match=r"expected songs of at least 2.00 s, found none among 2 files"):
        read_waveforms(files[-2:], 2)
    with pytest.raises(ValueError, match=r"expected folds out of .*, got \[77\]"):
        song_files(deam, [fold, 77])
    with pytest.raises(ValueError, match="expected the folder of DEAM with a held-out fold"):
        song_files(None, [1], [other])
    with pytest.raises(ValueError, match="expected songs in a folder of DEAM or another folder, found none"):
        song_files(None, [])


@pytest.mark.parametrize("name", ["vocoder_small", "vocoder_gpu"])
def test_the_configurations_fit_our_grid(name, waveforms, tmp_path):
    found = load_configuration(f"training/configs/{name}.yaml", ["vocoder.channels=16"], VocoderConfiguration())
    trainer = VocoderTrainer(found.vocoder, found.vocoder_training, [np.tile(waveforms[0], 2)], tmp_path)
    assert grid_of(trainer.averaged_model) == PRESETS["musemo"]
