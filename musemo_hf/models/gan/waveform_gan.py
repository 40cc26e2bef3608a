"""Log-mels as sound, differentiably, for pretrained models of waveforms."""

import math
from functools import lru_cache

import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

# the signal convention of our log-mels: Hz, samples, dB for each unit of the normalised scale, dB at its zero
RATE, HOP, WINDOW, DB_SCALE, DB_CENTRE = 22050, 512, 2048, 50.0, -10.0
WAVEFORM_RATE = 16000  # Hz, of the models
N_ITER = 8  # of Griffin-Lim
FLOOR = 1e-6  # of the power: -60 dB


def as_waveform(spectrogram: Tensor, sampling_rate: int = WAVEFORM_RATE, n_iter: int = N_ITER) -> Tensor:
    """Play normalised log-mels, so that a gradient of the sound reaches them.

    The magnitudes are the clipped pseudo-inverse of the mel filters. Their phases are those that Griffin-Lim finds from
    random ones, always the same, and count as constants: the gradient is that of the magnitudes alone. The sound is
    resampled by cutting off its spectrum.

    Args:
        spectrogram: The normalised log-mels `(B, 1, n_mels, n_frames)`.
        sampling_rate: The sampling rate of the sound in Hz, at most 22,050.
        n_iter: The number of iterations of Griffin-Lim.

    Returns:
        The sound, float32 `(B, samples)`, of mean 0 and variance 1 for each clip, as models of waveforms take it.
    """
    with torch.autocast(spectrogram.device.type, enabled=False):  # a transform has no half precision
        power = 10 ** ((spectrogram[:, 0].float() * DB_SCALE + DB_CENTRE) / 10)
        magnitude = (_inverse_filters(power.shape[1]).to(power) @ power).clamp_min(0).add(FLOOR).sqrt()
        signal = _transformed_back(magnitude * _phases(magnitude.detach(), n_iter))
        n_samples = round(signal.shape[-1] * sampling_rate / RATE)
        spectrum = torch.fft.rfft(signal)[..., : n_samples // 2 + 1]
        signal = torch.fft.irfft(spectrum, n=n_samples)
        centred = signal - signal.mean(dim=-1, keepdim=True)
        return centred * (centred.square().mean(dim=-1, keepdim=True) + 1e-7).rsqrt()


@torch.no_grad()
def _phases(magnitude: Tensor, n_iter: int) -> Tensor:
    """Return complex numbers of magnitude 1, `(B, bins, n_frames)`, by Griffin & Lim's (1984) iterations."""
    angles = 2 * math.pi * torch.rand(magnitude.shape[1:], generator=torch.Generator().manual_seed(0))
    phases = torch.polar(torch.ones_like(angles), angles).to(magnitude.device).expand(magnitude.shape)
    for _ in range(n_iter):
        signal = _transformed_back(magnitude * phases)
        spectrum = torch.stft(
            signal, WINDOW, HOP, window=_window(signal), center=True, pad_mode="constant", return_complex=True
        )
        phases = spectrum / spectrum.abs().clamp_min(1e-8)
    return phases


def _transformed_back(spectrum: Tensor) -> Tensor:
    return torch.istft(spectrum, WINDOW, HOP, window=_window(spectrum), center=True)


def _window(like: Tensor) -> Tensor:
    return torch.hann_window(WINDOW, device=like.device)


@lru_cache(maxsize=4)
def _inverse_filters(n_mels: int) -> Tensor:
    """Return the pseudo-inverse of the mel filters, `(1 + WINDOW // 2, n_mels)`."""
    filters = mel_filter_bank(WINDOW // 2 + 1, n_mels, 0.0, RATE / 2, RATE, "slaney", "slaney")
    return torch.linalg.pinv(torch.from_numpy(filters).T).float()
