import librosa
import numpy as np
import pytest
import torch

from musemo_hf.audio.decoding import read_audio
from musemo_hf.audio.griffin_lim import FrameTransform, griffin_lim, refine
from musemo_hf.audio.inversion import mel_to_audio, mel_to_magnitude
from musemo_hf.audio.mel import MelSettings, log_mel, mel_filters, mel_power

STFT = {"n_fft": 2048, "hop_length": 512, "pad_mode": "constant"}


def mel_residual(magnitude, power):
    """||M x - y|| / ||y||, x and y power."""
    return np.linalg.norm(mel_filters(MelSettings()).numpy() @ magnitude**2 - power) / np.linalg.norm(power)


def spectral_convergence(audio, magnitude):
    """|| |STFT(audio)| - magnitude || / ||magnitude||."""
    rebuilt = np.abs(librosa.stft(audio, **STFT))
    frames = min(rebuilt.shape[1], magnitude.shape[1])
    return np.linalg.norm(rebuilt[:, :frames] - magnitude[:, :frames]) / np.linalg.norm(magnitude)


def assert_no_worse_than_librosa(samples):
    power = mel_power(torch.from_numpy(samples)).numpy()
    theirs = librosa.feature.inverse.mel_to_stft(power, sr=22050, n_fft=2048)
    ours = mel_to_magnitude(log_mel(torch.from_numpy(samples))[None])[0].numpy()
    assert ours.shape == theirs.shape
    assert mel_residual(ours, power) <= mel_residual(theirs, power)

    their_audio = librosa.griffinlim(theirs, n_iter=32, hop_length=512, random_state=0, pad_mode="constant")
    our_audio = griffin_lim(torch.from_numpy(ours)[None])[0].numpy()
    # random phases move it by a few thousandths
    assert spectral_convergence(our_audio, ours) <= 1.02 * spectral_convergence(their_audio, theirs)


def test_no_worse_than_librosa(music):
    assert_no_worse_than_librosa(music(2))


@pytest.mark.deam
def test_no_worse_than_librosa_on_real_songs(real_songs):
    for path in real_songs[:2]:
        assert_no_worse_than_librosa(read_audio(path, duration=2))


def plain_griffin_lim(magnitude, n_iter, momentum=0.99, seed=0):
    """The algorithm in torch.stft and torch.istft alone."""
    window = torch.hann_window(2048)
    transform = {"n_fft": 2048, "hop_length": 512, "window": window}
    shape = magnitude.transpose(1, 2).shape[1:]
    phases = torch.rand(shape, generator=torch.Generator().manual_seed(seed)).T.expand_as(magnitude)
    spectrum, previous = torch.polar(magnitude, 2 * torch.pi * phases), torch.zeros(1)
    for _ in range(n_iter):
        signal = torch.istft(spectrum, **transform)
        rebuilt = torch.stft(signal, **transform, pad_mode="constant", return_complex=True)
        spectrum = rebuilt - previous * (momentum / (1 + momentum))
        previous = rebuilt
        spectrum = magnitude * spectrum / spectrum.abs().clamp_min(1e-10)
    return torch.istft(spectrum, **transform)


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_griffin_lim_is_the_plain_loop(music, momentum):
    magnitude = mel_to_magnitude(log_mel(torch.from_numpy(np.stack([music(1.5), music(1.5, seed=1)]))))
    expected = plain_griffin_lim(magnitude, n_iter=6, momentum=momentum)
    audio = griffin_lim(magnitude, n_iter=6, momentum=momentum)
    assert audio.shape == expected.shape
    assert (audio - expected).abs().max() <= 1e-3 * expected.abs().max()


def test_frame_transform_is_torchs(music):
    samples = torch.from_numpy(np.stack([music(1), music(1, seed=1)]))[:, : 42 * 512]
    transform = FrameTransform(MelSettings(), 2, 43, samples.device)
    padded = torch.nn.functional.pad(samples, (1024, 1024))
    spectrum = transform.forward(padded.clone(), out=torch.empty(2, 43, 1025, dtype=torch.complex64))
    expected = torch.stft(samples, **STFT, window=torch.hann_window(2048), return_complex=True)
    assert torch.allclose(spectrum.transpose(1, 2), expected, atol=1e-4)
    back = transform.inverse(spectrum)[:, 1024:-1024]
    assert torch.allclose(back, samples, atol=1e-5)


def test_a_hop_that_does_not_divide_the_window_is_refused():
    with pytest.raises(ValueError, match="expected hop_length to divide n_fft 2048, got 500"):
        griffin_lim(torch.ones(1, 1025, 4), MelSettings(hop_length=500))


def test_more_iterations_are_more_consistent(music):
    magnitude = mel_to_magnitude(log_mel(torch.from_numpy(music(1))[None]))
    errors = [spectral_convergence(griffin_lim(magnitude, n_iter=n)[0].numpy(), magnitude[0].numpy()) for n in (1, 32)]
    assert errors[1] < 0.7 * errors[0]


def test_magnitude_is_never_negative_and_silence_stays_silent():
    quiet = mel_to_magnitude(torch.full((1, 128, 5), -60.0))
    assert (quiet >= 0).all()
    assert torch.isfinite(quiet).all()
    audio = mel_to_audio(torch.full((1, 128, 20), -100.0), n_iter=2)
    assert torch.isfinite(audio).all()
    assert audio.abs().max() < 1e-4


@pytest.mark.parametrize("gain", [0.05, 1.0])
def test_loudness_survives(music, gain):
    samples = gain * music(2)
    audio = mel_to_audio(log_mel(torch.from_numpy(samples))[None])[0].numpy()
    change = 20 * np.log10(np.sqrt((audio**2).mean()) / np.sqrt((samples**2).mean()))
    assert abs(change) < 1.5


def test_a_clip_sounds_the_same_in_any_batch(music):
    mels = log_mel(torch.from_numpy(np.stack([music(1, seed=seed) for seed in range(3)])))
    batch = mel_to_audio(mels, n_iter=4)
    for i in range(3):
        alone = mel_to_audio(mels[i : i + 1], n_iter=4)[0]
        assert (alone - batch[i]).abs().max() <= 1e-4 * alone.abs().max()


def test_seed_decides_the_phases(music):
    mel = log_mel(torch.from_numpy(music(1)))[None]
    first, again, other = (mel_to_audio(mel, n_iter=2, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-3)


@pytest.mark.parametrize(("frames", "samples"), [(431, 220_500), (100, 50_715), (2, 512)])
def test_length(frames, samples):
    assert mel_to_audio(torch.full((1, 128, frames), -20.0), n_iter=1).shape == (1, samples)


def mel_error(audio, mel):
    """Mean absolute difference in dB from a log-mel, down to -60 dB."""
    return (log_mel(audio)[..., : mel.shape[-1]].clamp_min(-60) - mel).abs().mean().item()


def test_bands_that_are_kept_are_nearer_than_magnitudes_that_are_kept(music):
    mel = log_mel(torch.from_numpy(music(3))[None]).clamp_min(-60)
    errors = {keep: mel_error(mel_to_audio(mel, keep=keep), mel) for keep in ("magnitude", "bands")}
    assert errors["bands"] < 0.7 * errors["magnitude"]
    with pytest.raises(ValueError, match="expected keep out of magnitude, bands, got 'phase'"):
        mel_to_audio(mel, keep="phase")


def test_noise_becomes_a_song_and_a_song_stays_itself(music):
    song = torch.from_numpy(np.stack([music(2), music(2, seed=1)]))
    mel = log_mel(song)
    stays = refine(song, mel)
    assert stays.shape == song.shape
    assert (stays - song)[:, 2048:-2048].norm() < 0.05 * song.norm()
    noise = 0.1 * torch.randn(song.shape, generator=torch.Generator().manual_seed(0))
    found = refine(noise, mel, n_iter=16)
    assert mel_error(found, mel) < 0.2 * mel_error(noise, mel)
    torch.testing.assert_close(refine(noise[1:], mel[1:], n_iter=16)[0], found[1], atol=1e-4, rtol=0)
