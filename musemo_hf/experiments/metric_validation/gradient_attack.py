"""The strongest attack on modulation-v3: a search that sees its features, and fits noise to them by gradient.

As sound textures are made (McDermott & Simoncelli 2011, Neuron 71, 926): noise, changed cell by cell until its
statistics are those that were drawn for it. The features are written again in torch, since they need a gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from musemo_hf.evaluation.spaces.feature_groups import (
    DISTANCES,
    EDGE,
    FLOOR,
    LAGS,
    N_BANDS,
    PULSE_LAGS,
    ROWS_APART,
    SURROUNDINGS,
)
from musemo_hf.evaluation.spaces.modulation import MAX_DB, MIN_DB, POWER_FLOOR, octave_edges
from musemo_hf.evaluation.surrogates.reference_statistics import covariance_root

TINY = 1e-12  # beneath every root: its gradient at 0 is infinite


def noise_by_gradient(
    noise: np.ndarray,
    reference: np.ndarray,
    n_steps: int = 150,
    seed: int = 0,
    learning_rate: float = 0.3,
    batch: int = 25,
    say: Callable[[str], None] = lambda line: None,
) -> np.ndarray:
    """Noise whose modulation-v3 features have the mean and covariance of the reference's, by Adam.

    Every clip has features of its own to reach, drawn from the reference's Gaussian and then moved so that the draws
    have exactly its mean and covariance: where all clips arrive, so has the set.

    Args:
        noise: where to begin, such as joint-gaussian `(N, 128, n_frames)`, dB.
        reference: modulation-v3 features of real clips `(M, 160)`.
        n_steps: of Adam, all clips in each.
        seed: of the drawn features.
        learning_rate: dB a step, falling to 0 along a cosine.
        batch: clips at once.
        say: told of the loss.

    Returns:
        float32 `(N, 128, n_frames)` in [-60, 40] dB.
    """
    targets = torch.from_numpy(drawn_features(reference, len(noise), seed)).float()
    scale = torch.from_numpy(np.maximum(reference.std(axis=0), 1e-6)).float()
    fitted = [
        _fit(torch.from_numpy(part), goal, scale, n_steps, learning_rate, say)
        for part, goal in zip(
            np.array_split(noise.astype(np.float32), -(-len(noise) // batch)),
            torch.tensor_split(targets, -(-len(noise) // batch)),
            strict=True,
        )
    ]
    return np.concatenate(fitted)


def drawn_features(reference: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draws `(count, D)` with the mean of the reference `(M, D)` and, as far as `count` allows, its covariance."""
    drawn = np.random.default_rng(seed).standard_normal((count, reference.shape[1]))
    drawn -= drawn.mean(axis=0)
    return reference.mean(axis=0) + drawn @ covariance_root(np.cov(reference.T))


def _fit(
    clips: Tensor, targets: Tensor, scale: Tensor, n_steps: int, learning_rate: float, say: Callable[[str], None]
) -> np.ndarray:
    clips = clips.clamp(MIN_DB, MAX_DB).requires_grad_()
    optimizer = torch.optim.Adam([clips], lr=learning_rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    loss = torch.zeros(())
    for _ in range(n_steps):
        optimizer.zero_grad()
        # the sum over clips: each goes its own way
        loss = ((differentiable_aspects(clips) - targets) / scale).square().mean(dim=1).sum()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            clips.clamp_(MIN_DB, MAX_DB)
    say(f"mean square error {loss.item() / len(clips):.4f} of a feature, in deviations of the reference")
    return clips.detach().numpy()


def differentiable_aspects(clips: Tensor) -> Tensor:
    """`aspects.aspect_features` of `(B, 128, n_frames)` in [-60, 40] dB, with a gradient: `(B, 160)`."""
    clips = pad(clips[..., EDGE:-EDGE], (EDGE, EDGE), mode="reflect")
    means = clips.mean(dim=2)
    centred = clips - means[:, :, None]
    bands = _average(centred, N_BANDS)
    edges, spectrum = octave_edges(clips.shape[2]), _tapered(bands)
    flux = bands.diff(dim=2)
    covariance = centred @ centred.transpose(1, 2) / clips.shape[2]
    parts = [
        _average(means[:, :, None], 16),
        *_rate(spectrum, edges),
        *_detail(means, covariance),
        _coherence(_average(spectrum, 16), edges),
        *_starts(flux),
        *_events(_average(bands, 8), _average(flux, 8)),
    ]
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def _average(rows: Tensor, n_groups: int) -> Tensor:
    return rows.unflatten(1, (n_groups, -1)).mean(dim=2)


def _deviation(values: Tensor) -> Tensor:
    return (values.var(dim=-1, correction=0) + TINY).sqrt()


def _tapered(bands: Tensor) -> Tensor:
    window = torch.from_numpy(np.hanning(bands.shape[2])).float()
    return torch.fft.rfft(bands * (window / window.square().sum().sqrt()), dim=2)


def _octaves(values: Tensor, edges: tuple[int, ...]) -> Tensor:
    return torch.stack([values[..., a:b].mean(dim=-1) for a, b in pairwise(edges)], dim=-1)


def _rate(spectrum: Tensor, edges: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    power = spectrum.real**2 + spectrum.imag**2 + POWER_FLOOR
    mean_log, log_mean = _octaves(power.log(), edges), _octaves(power, edges).log()
    return _average(mean_log, 4), _average(log_mean - mean_log, 2)[:, :, 2:]


def _detail(profile: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    deviation = (covariance.diagonal(dim1=1, dim2=2) + TINY).sqrt() + FLOOR
    correlation = covariance / (deviation[:, :, None] * deviation[:, None])
    near = torch.stack([correlation.diagonal(apart, 1, 2).mean(dim=1) for apart in ROWS_APART], dim=1)
    sharpen = _sharpen(profile.shape[1])
    standing = profile @ sharpen.T
    moving = torch.einsum("ij,bjk,ik->bi", sharpen, covariance, sharpen)
    regions = []
    for region in (slice(4, 44), slice(44, 84), slice(84, 124)):
        spread = (_deviation(standing[:, region]) + FLOOR).log()
        moved = 0.5 * (moving[:, region].clamp(min=0).mean(dim=1) + FLOOR**2).log()
        regions.append(torch.stack([*_shape(standing[:, region]), spread, moved], dim=1))
    return near, torch.stack(regions, dim=1)


def _sharpen(n_rows: int) -> Tensor:
    """A row less the mean of the rows around it, mirrored at the ends."""
    half = SURROUNDINGS // 2
    mirrored = np.pad(np.arange(n_rows), half, mode="symmetric")
    weights = np.eye(n_rows)
    for row in range(n_rows):
        np.add.at(weights[row], mirrored[row : row + SURROUNDINGS], -1 / SURROUNDINGS)
    return torch.from_numpy(weights).float()


def _coherence(spectrum: Tensor, edges: tuple[int, ...]) -> Tensor:
    octaves = []
    for first, last in pairwise(edges):
        part = torch.cat([spectrum.real[:, :, first:last], spectrum.imag[:, :, first:last]], dim=2)
        shared = part @ part.transpose(1, 2)
        scale = (shared.diagonal(dim1=1, dim2=2) + TINY).sqrt() + FLOOR
        shared = shared / (scale[:, :, None] * scale[:, None])
        octaves.append(torch.stack([shared.diagonal(apart, 1, 2).mean(dim=1) for apart in DISTANCES], dim=1))
    return torch.stack(octaves, dim=1)


def _starts(flux: Tensor) -> tuple[Tensor, ...]:
    parts = []
    for side in (flux.clamp(min=0).mean(dim=1), (-flux).clamp(min=0).mean(dim=1)):
        level = side.mean(dim=1) + FLOOR
        spread = (_deviation(side) / level + 0.05).log()
        parts += [torch.stack([level.log(), spread, *_shape(side)], dim=1)]
    return *parts, _pulse(flux.clamp(min=0).mean(dim=1))


def _pulse(starts: Tensor) -> Tensor:
    centred, count = starts - starts.mean(dim=1, keepdim=True), starts.shape[1]
    padded = torch.fft.rfft(pad(centred, (0, PULSE_LAGS[-1])), dim=1)
    correlation = torch.fft.irfft(padded.real**2 + padded.imag**2, count + PULSE_LAGS[-1], dim=1)[:, : PULSE_LAGS[-1]]
    correlation = correlation / (correlation[:, :1] + count * (0.1 * FLOOR) ** 2)
    return torch.stack([correlation[:, first:last].amax(dim=1) for first, last in pairwise(PULSE_LAGS)], dim=1)


def _events(bands: Tensor, flux: Tensor) -> tuple[Tensor, ...]:
    halves = _average(bands, 2)
    asymmetry = [_shape(halves[:, :, lag:] - halves[:, :, :-lag])[0] for lag in LAGS]
    return *_shape(bands), *_shape(flux), torch.stack(asymmetry, dim=1)


def _shape(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Skewness and log kurtosis over the last axis."""
    centred = rows - rows.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1) + FLOOR**2
    fourth = centred.pow(4).mean(dim=-1) + FLOOR**4
    return centred.pow(3).mean(dim=-1) / variance**1.5, (fourth / variance**2).log()
