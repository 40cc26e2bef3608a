"""Log-mel to waveform: non-negative least squares on the mel filters, then Griffin-Lim."""

from functools import lru_cache
from typing import Any

import numpy as np
import scipy
import torch
from torch import Tensor

from .clip_threads import clip_threads
from .griffin_lim import griffin_lim
from .mel import MelSettings, mel_filters

COLUMNS_AT_ONCE = 256  # frames whose magnitudes are found together
KEPT = ("magnitude", "bands")


@lru_cache(maxsize=8)
def _filter_matrices(settings: MelSettings) -> tuple[Any, Any, Tensor]:
    """Return the sparse filters, their transpose, and their dense pseudo-inverse."""
    dense = mel_filters(settings).numpy()
    return scipy.sparse.csr_matrix(dense), scipy.sparse.csr_matrix(dense.T), torch.from_numpy(np.linalg.pinv(dense))


def mel_to_magnitude(mel_db: Tensor, settings: MelSettings = MelSettings(), n_iter: int = 100) -> Tensor:  # noqa: B008 (frozen)
    """Return the linear magnitude whose mel spectrogram is closest to the given one.

    min ||M x - y|| over x >= 0, M the mel filters, y the mel power: multiplicative updates x <- x M'y / M'Mx (Lee &
    Seung 2001, eq. 4) from the clipped pseudo-inverse. M is sparse (two bands a bin), so an iteration costs little.

    Args:
        mel_db: The log-mels `(B, n_mels, n_frames)` in dB.
        settings: The signal convention.
        n_iter: The number of updates.

    Returns:
        The magnitude `(B, 1 + n_fft // 2, n_frames)`, float32.
    """
    batch, n_mels, n_frames = mel_db.shape
    with clip_threads(-(-batch * n_frames // COLUMNS_AT_ONCE)) as over:
        columns = mel_db.float().cpu().permute(1, 0, 2).reshape(n_mels, -1)
        parts = over(lambda part: _magnitude(part, settings, n_iter), columns.split(COLUMNS_AT_ONCE, dim=1))
        return torch.cat(parts, dim=1).reshape(-1, batch, n_frames).permute(1, 0, 2)


def _magnitude(mel_db: Tensor, settings: MelSettings, n_iter: int) -> Tensor:
    """Return the magnitudes `(1 + n_fft // 2, n)` of single frames `(n_mels, n)`."""
    filters, transposed, inverse = _filter_matrices(settings)
    power = torch.pow(10.0, mel_db / 10)
    target = transposed @ power.numpy()
    # a bin that no filter reaches stays at the floor; the others need a strictly positive start
    solution = np.maximum((inverse @ power).numpy(), 1e-3 * target) + np.float32(1e-12)
    for _ in range(n_iter):
        np.divide(target, (transposed @ (filters @ solution)) + np.float32(1e-12), out=(ratio := np.empty_like(target)))
        solution *= ratio
    return torch.from_numpy(np.sqrt(solution, dtype=np.float32))


def mel_to_audio(
    mel_db: Tensor,
    settings: MelSettings = MelSettings(),  # noqa: B008 (frozen)
    n_iter: int = 32,
    seed: int = 0,
    keep: str = "magnitude",
) -> Tensor:
    """Convert log-mels to audio at its true loudness.

    Args:
        mel_db: The log-mels `(B, n_mels, n_frames)` in dB.
        settings: The signal convention.
        n_iter: The number of Griffin-Lim iterations.
        seed: The seed of the initial phases.
        keep: What the iterations keep: the "magnitude" that was found by least squares, or the mel "bands"; see
            `griffin_lim`.

    Returns:
        The samples `(B, settings.n_samples(n_frames))`, float32: 10 s for 431 frames, 30 s for 1292.

    Raises:
        ValueError: `keep` is neither.
    """
    if keep not in KEPT:
        raise ValueError(f"expected keep out of {', '.join(KEPT)}, got {keep!r}")
    magnitude = mel_to_magnitude(mel_db, settings).to(mel_db.device)
    given = {"n_samples": settings.n_samples(mel_db.shape[-1]), "seed": seed}
    return griffin_lim(magnitude, settings, n_iter, mel_db=mel_db if keep == "bands" else None, **given)
