"""The strongest attack on modulation-v3: a search that knows its features and fits noise to them by gradient descent.

Sound textures are synthesised in this way (McDermott & Simoncelli 2011, Neuron 71, 926): noise is changed cell by cell
until it has the statistics that were drawn for it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from musemo_hf.evaluation.spaces.feature_groups import features_of
from musemo_hf.evaluation.spaces.modulation import MAX_DB, MIN_DB
from musemo_hf.evaluation.surrogates.reference_statistics import covariance_root


def noise_by_gradient(
    noise: np.ndarray,
    reference: np.ndarray,
    n_steps: int = 150,
    seed: int = 0,
    learning_rate: float = 0.3,
    batch: int = 25,
    say: Callable[[str], None] = lambda line: None,
) -> np.ndarray:
    """Change noise with Adam until its modulation-v3 features have the mean and covariance of the reference.

    Every clip has its own target, drawn from the Gaussian of the reference; the draws are shifted to have its mean
    exactly. When all clips reach their targets, the set has the distribution of the reference.

    Args:
        noise: The clips to start from, such as joint-gaussian noise `(N, 128, n_frames)`, in dB.
        reference: The modulation-v3 features of real clips `(M, 160)`.
        n_steps: The number of Adam steps; each step changes all clips.
        seed: The seed of the drawn features.
        learning_rate: The learning rate in dB a step; it decays to 0 along a cosine.
        batch: The number of clips that are fitted at once.
        say: A function that is called with one line about the loss of each batch.

    Returns:
        The changed clips, float32 `(N, 128, n_frames)` in [-60, 40] dB.
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
    """Draw features `(count, D)` with the mean of the reference `(M, D)` and, for a large `count`, its covariance."""
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
        # a sum over clips, so that no clip's gradient depends on the others
        loss = ((features_of(clips, torch) - targets) / scale).square().mean(dim=1).sum()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            clips.clamp_(MIN_DB, MAX_DB)
    say(f"mean square error {loss.item() / len(clips):.4f} of a feature, in deviations of the reference")
    return clips.detach().numpy()
