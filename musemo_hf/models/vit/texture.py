"""Texture statistics of a log-mel: distributions of its bands, their rates of change and their correlations."""

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

N_BANDS = 32  # groups of neighbouring mel bands
FLOOR = 0.3  # dB, added to every deviation that divides: smaller variation is inaudible
POWER_FLOOR = 0.1  # dB squared
DECIBELS = 50.0  # one unit of the normalised scale
NEAR = (1, 2, 3, 4, 8, 16)  # distances in mel bands
APART = (2, 6, 16)  # distances in the 32 groups
SURROUNDINGS = 9  # mel bands around a partial
LAGS = (1, 2, 4, 8, 16, 32)  # frames over which rises and falls are compared
PULSE_LAGS = (1, 2, 4, 8, 16, 32, 64)  # frames, up to 1.5 s
REGIONS = 3  # parts of the mel range in which partials are measured


def texture_size(n_frames: int) -> int:
    """Return the number of statistics of a log-mel of `n_frames` frames."""
    n_octaves = len(_octaves(n_frames)) - 1
    lags, pulses = sum(lag < n_frames for lag in LAGS), len(_pulse_edges(n_frames)) - 1
    return 3 * N_BANDS + n_octaves * (4 + len(APART)) + len(NEAR) + 4 * REGIONS + 8 + pulses + 32 + 2 * lags


def texture_statistics(spectrogram: Tensor) -> Tensor:
    """Compute statistics of clips from which emotion can be predicted without a network; differentiable.

    They follow the textures of McDermott & Simoncelli 2011 (Neuron 71, 926): marginal moments of bands and of their
    changes, modulation power by octave, correlations between bands; and the spread of partials and the pulse of onsets.

    Args:
        spectrogram: The normalised log-mels `(B, 1, n_mels, n_frames)`, with a multiple of 32 bands and at least 8
            frames.

    Returns:
        The statistics, float32 `(B, texture_size(n_frames))`.
    """
    mel = DECIBELS * spectrogram[:, 0].float()
    bands = mel.unflatten(1, (N_BANDS, -1)).mean(dim=2)
    flux = bands.diff(dim=-1)
    centred = bands - bands.mean(dim=-1, keepdim=True)
    parts = [
        *(bands.mean(dim=-1), _deviation(bands), _deviation(flux)),
        *_modulation(centred),
        *_partials(mel),
        *_onsets(flux),
        *_asymmetry(centred, flux),
    ]
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def _modulation(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Return log power by octave of modulation in 4 groups of bands, and the coherence of bands at 3 distances."""
    window = torch.hann_window(centred.shape[-1], periodic=False, device=centred.device)
    spectrum = torch.fft.rfft(centred * (window / window.norm()))
    power, coherence = [], []
    for first, last in pairwise(_octaves(centred.shape[-1])):
        part = torch.cat([spectrum.real[..., first:last], spectrum.imag[..., first:last]], dim=-1)
        power.append((part.square().mean(dim=-1) * 2 + POWER_FLOOR).log().unflatten(1, (4, -1)).mean(dim=-1))
        unit = part / (part.norm(dim=-1, keepdim=True) + FLOOR)
        coherence.append(torch.stack([(unit[:, d:] * unit[:, :-d]).sum(dim=-1).mean(dim=-1) for d in APART], dim=1))
    return torch.cat(power, dim=1), torch.cat(coherence, dim=1)


def _partials(mel: Tensor) -> tuple[Tensor, Tensor]:
    """Return the correlation of near mel bands, and moments of standing and moving partials by region."""
    centred = mel - mel.mean(dim=-1, keepdim=True)
    unit = centred / (centred.norm(dim=-1, keepdim=True) + FLOOR * math.sqrt(mel.shape[-1]))
    near = torch.stack([(unit[:, d:] * unit[:, :-d]).sum(dim=-1).mean(dim=-1) for d in NEAR], dim=1)
    around = functional.avg_pool1d(mel.transpose(1, 2), SURROUNDINGS, 1, SURROUNDINGS // 2, count_include_pad=False)
    sharp = mel - around.transpose(1, 2)
    standing, moving = sharp.mean(dim=-1), sharp.var(dim=-1, unbiased=False)
    moments = [
        torch.stack([*_shape(level), (level.std(dim=-1) + FLOOR).log(), (change.mean(dim=-1) + FLOOR**2).log()], dim=1)
        for level, change in zip(standing.chunk(REGIONS, dim=1), moving.chunk(REGIONS, dim=1), strict=True)
    ]
    return near, torch.cat(moments, dim=1)


def _onsets(flux: Tensor) -> list[Tensor]:
    """Return level, spread, skewness and log kurtosis of common onsets and offsets, and the pulse of onsets."""
    parts = []
    for side in (flux.clamp(min=0).mean(dim=1), (-flux).clamp(min=0).mean(dim=1)):
        level = side.mean(dim=-1) + FLOOR
        spread = (_deviation(side) / level + 0.05).log()
        parts.append(torch.stack([level.log(), spread, *_shape(side)], dim=1))
    starts = flux.clamp(min=0).mean(dim=1)
    edges = _pulse_edges(flux.shape[-1] + 1)
    power = torch.fft.rfft(starts - starts.mean(dim=-1, keepdim=True), n=2 * starts.shape[-1]).abs().square()
    correlation = torch.fft.irfft(power)[:, : edges[-1]]
    correlation = correlation / (correlation[:, :1] + starts.shape[-1] * (0.1 * FLOOR) ** 2)
    pulse = [correlation[:, first:last].amax(dim=-1) for first, last in pairwise(edges)]
    return [*parts, torch.stack(pulse, dim=1)]


def _asymmetry(centred: Tensor, flux: Tensor) -> list[Tensor]:
    """Return skewness and log kurtosis of levels and changes in 8 bands, and skewness of changes over longer lags."""
    eighths, changes = (x.unflatten(1, (8, -1)).mean(dim=2) for x in (centred, flux))
    halves = eighths.unflatten(1, (2, -1)).mean(dim=2)
    lags = [lag for lag in LAGS if lag < centred.shape[-1]]
    over_lags = [_shape(halves[..., lag:] - halves[..., :-lag])[0] for lag in lags]
    return [*_shape(eighths), *_shape(changes), torch.cat(over_lags, dim=1)]


def _shape(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return skewness and log kurtosis over the last axis, both near 0 for values that hardly vary."""
    centred = values - values.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1) + FLOOR**2
    fourth = centred.pow(4).mean(dim=-1) + FLOOR**4
    return centred.pow(3).mean(dim=-1) / variance**1.5, (fourth / variance.square()).log()


def _deviation(values: Tensor) -> Tensor:
    """Return the deviation over the last axis, at least 0.03 dB, at which the gradient of the root is finite."""
    return (values.var(dim=-1, unbiased=False) + (0.1 * FLOOR) ** 2).sqrt()


def _octaves(n_frames: int) -> list[int]:
    """Return the bins of the Fourier transform over time at which octaves of modulation begin, and the end."""
    last = n_frames // 2 + 1
    return sorted({last, *(2**power for power in range(20) if 2**power < last)})


def _pulse_edges(n_frames: int) -> list[int]:
    """Return the lags at which octaves of the pulse begin, and the end, within clips of `n_frames` frames."""
    return sorted({min(lag, n_frames - 1) for lag in PULSE_LAGS})
