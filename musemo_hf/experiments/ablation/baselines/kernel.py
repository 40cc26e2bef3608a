"""The recogniser's kernel read-out by itself: what is left of the recogniser without its network."""

import numpy as np
import torch
from torch import Tensor

from musemo_hf.models.vit.kernel_head import KernelHead
from musemo_hf.training.clips import Clips

from .regressors import INNER_FOLDS, Fitted


def fit_kernel(train: Clips, test: Tensor, inner_folds: np.ndarray) -> Fitted:
    """Fit it to training clips, and predict others.

    Args:
        train: clips to learn from.
        test: normalised log-mels to predict, `(M, 1, n_mels, n_frames)`.
        inner_folds: `(N,)` artist-disjoint folds of the training clips, 0 to `INNER_FOLDS` - 1.

    Returns:
        Predictions; `inner` by fits that did not see a clip's fold.
    """
    inner = np.empty((len(train), 2))
    for fold in range(INNER_FOLDS):
        held_out = torch.from_numpy(inner_folds == fold)
        inner[inner_folds == fold] = _predict(train[~held_out], train.spectrogram[held_out])
    return Fitted(_predict(train, test), inner, [{}, {}])


@torch.no_grad()
def _predict(train: Clips, spectrogram: Tensor) -> np.ndarray:
    read_out = KernelHead(spectrogram.shape[-1], 0)
    read_out.fit(train.spectrogram, train.emotion)
    return torch.cat([read_out(part.cpu()).double() for part in spectrogram.split(64)]).numpy()
