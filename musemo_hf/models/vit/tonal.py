"""Tonal statistics of a log-mel: pitch classes, key and mode, consonance, and how fast the harmony changes."""

import math

import torch
from torch import Tensor
from torch.nn import functional

SIZE = 51  # statistics
NYQUIST = 11_025.0  # Hz, the highest mel band of the package's feature extractor
LOWEST = 174.0  # Hz; below it neighbouring semitones share a mel band
DECIBELS = 50.0  # one unit of the normalised scale
SURROUNDINGS = 9  # mel bands around a partial
WIDTH = 0.35  # semitones, the deviation of a band's share in pitch classes, or half the band where that is wider
APART = 8  # frames between which a change of harmony is measured, 0.2 s
# how well each of the 12 pitch classes fits a major and a minor key (Krumhansl & Kessler 1982)
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def tonal_statistics(spectrogram: Tensor) -> Tensor:
    """Compute statistics of harmony that do not change when a clip is transposed.

    Partials are what exceeds the surrounding mel bands. Summed by pitch class they give a chroma; of that the
    statistics are magnitudes of its Fourier transform (Amiot 2016), its correlation with the profiles of major and
    minor keys (Krumhansl 1990), the profile in the best key, its autocorrelation over intervals, and its changes.

    Args:
        spectrogram: The normalised log-mels `(B, 1, n_mels, n_frames)` of the package's feature extractor.

    Returns:
        The statistics, float32 `(B, 51)`.
    """
    mel = DECIBELS * spectrogram[:, 0].float()
    around = functional.avg_pool1d(mel.transpose(1, 2), SURROUNDINGS, 1, SURROUNDINGS // 2, count_include_pad=False)
    partials = (mel - around.transpose(1, 2)).clamp(min=0)
    chroma = pitch_class_weights(mel.shape[1]).to(mel) @ partials  # (B, 12, n_frames)
    level = chroma.sum(dim=1)
    share = chroma / (level[:, None] + 1)  # 1 dB: silence has no harmony
    profile = chroma.mean(dim=-1)
    profile = profile / (profile.sum(dim=-1, keepdim=True) + 1e-3)
    waves = torch.fft.rfft(share, dim=1).abs()[:, 1:]
    parts = [waves.mean(dim=-1), waves.std(dim=-1, unbiased=False), torch.fft.rfft(profile).abs()[:, 1:]]
    parts += [*_keys(profile), _intervals(chroma), _intervals(profile[..., None]), *_changes(share, level, profile)]
    return torch.cat(parts, dim=1)


def pitch_class_weights(n_mels: int) -> Tensor:
    """Return the share of each mel band (Slaney scale, 0 to 11,025 Hz) in the 12 pitch classes, `(12, n_mels)`.

    The shares of a band sum to 1, or are 0 below 174 Hz.
    """
    top = _slaney_mel(torch.tensor(NYQUIST))
    centres = _slaney_hz(torch.linspace(0, 1, n_mels + 2) * top)
    semitones = 12 * torch.log2(centres.clamp(min=1) / 440)
    wide = ((semitones[2:] - semitones[:-2]) / 4).clamp(min=WIDTH)
    distance = (semitones[1:-1] - torch.arange(12.0)[:, None] + 6) % 12 - 6
    weights = torch.exp(-0.5 * (distance / wide).square())
    return weights / weights.sum(dim=0) * (centres[1:-1] >= LOWEST)


def _slaney_mel(hertz: Tensor) -> Tensor:
    """Convert Hz to mel as in Slaney's Auditory Toolbox (1998): linear up to 1 kHz, then logarithmic."""
    return torch.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * (hertz.clamp(min=1) / 1000).log() / math.log(6.4))


def _slaney_hz(mel: Tensor) -> Tensor:
    return torch.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def _keys(profile: Tensor) -> tuple[Tensor, Tensor]:
    """Return the fit of the best major and minor key and their difference, and the profile in the best key."""
    standard = _standard(torch.stack([profile.roll(-tonic, dims=1) for tonic in range(12)], dim=1))
    fits = torch.stack([(standard * _standard(profile.new_tensor(key))).mean(dim=-1) for key in (MAJOR, MINOR)])
    major, minor = fits.amax(dim=-1)
    tonic = fits.amax(dim=0).argmax(dim=-1, keepdim=True)
    own = profile.gather(1, (tonic + torch.arange(12, device=profile.device)) % 12)
    return torch.stack([major, minor, major - minor], dim=1), 12 * own


def _standard(values: Tensor) -> Tensor:
    return (values - values.mean(dim=-1, keepdim=True)) / (values.std(dim=-1, keepdim=True) + 1e-6)


def _intervals(chroma: Tensor) -> Tensor:
    """Return the autocorrelation of a chroma `(B, 12, frames)` over intervals of 1 to 6 semitones, `(B, 6)`."""
    power = chroma.square().sum(dim=(1, 2)) + 1e-6
    return torch.stack([(chroma.roll(lag, dims=1) * chroma).sum(dim=(1, 2)) / power for lag in range(1, 7)], dim=1)


def _changes(share: Tensor, level: Tensor, profile: Tensor) -> tuple[Tensor, ...]:
    """Return how the harmony changes, the entropy of the profile, and the level of partials with its deviation."""
    near = share.diff(dim=-1).abs().sum(dim=1)
    lag = min(APART, share.shape[-1] - 1)
    far = (share[..., lag:] - share[..., :-lag]).abs().sum(dim=1)
    entropy = -(profile * (profile + 1e-6).log()).sum(dim=-1)
    spreads = near.std(dim=-1, unbiased=False), level.std(dim=-1, unbiased=False)
    return tuple(
        value[:, None]
        for value in (near.mean(dim=-1), spreads[0], far.mean(dim=-1), entropy, level.mean(-1), spreads[1])
    )
