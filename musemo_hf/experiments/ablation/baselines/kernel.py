"""Kernel ridge regression: the recogniser's kernel head alone, without its network."""

import numpy as np
import torch
from torch import Tensor

from musemo_hf.models.vit.kernel_head import KernelHead
from musemo_hf.training.clips import Clips

from .regressors import INNER_FOLDS, Fitted


def fit_kernel(train: Clips, test: Tensor, inner_folds: np.ndarray) -> Fitted:
    """Fit the kernel head to training clips, and predict others.

    Args:
        train: The training clips.
        test: The normalised log-mels to predict `(M, 1, n_mels, n_frames)`.
        inner_folds: The artist-disjoint fold of each training clip `(N,)`, 0 to `INNER_FOLDS` - 1.

    Returns:
        The predictions; those of training clips (`inner`) are by fits without the fold of the clip.
    """
    inner = np.empty((len(train), 2))
    for fold in range(INNER_FOLDS):
        held_out = torch.from_numpy(inner_folds == fold)
        inner[inner_folds == fold] = _predict(train[~held_out], train.spectrogram[held_out])
    return Fitted(_predict(train, test), inner, [{}, {}])


@torch.no_grad()
def _predict(train: Clips, spectrogram: Tensor) -> np.ndarray:
    head = KernelHead(spectrogram.shape[-1], 0)
    head.fit(train.spectrogram, train.emotion)
    return torch.cat([head(part.cpu()).double() for part in spectrogram.split(64)]).numpy()
