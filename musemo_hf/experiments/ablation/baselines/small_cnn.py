"""A small convolutional network (CNN), a baseline of the recogniser."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import get_cosine_schedule_with_warmup

from musemo_hf.training.clips import Clips
from musemo_hf.training.recogniser.settings import RecogniserTraining
from musemo_hf.training.sampler import batch_indices, seed_step, total_steps

from .regressors import Fitted

WIDTHS = (16, 32, 64, 96)
LEARNING_RATE = 2e-3
BATCH = 64


class SmallCnn(nn.Module):
    """Four convolutions of stride 2 with batch normalisation, the mean over time, and a linear head on all bands.

    Args:
        n_mels: The number of mel bands.
    """

    def __init__(self, n_mels: int = 128) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for inside, outside in zip((1, *WIDTHS), WIDTHS, strict=False):
            blocks += [nn.Conv2d(inside, outside, 3, stride=2, padding=1), nn.BatchNorm2d(outside), nn.ReLU()]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(WIDTHS[-1] * n_mels // 2 ** len(WIDTHS), 2))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Predict emotions `(B, 2)` from normalised log-mels `(B, 1, n_mels, n_frames)`."""
        return self.head(self.blocks(spectrogram).mean(dim=-1).flatten(1))


def fit_cnn(train: Clips, test: Tensor, training: RecogniserTraining, device: torch.device) -> Fitted:
    """Train the network with the squared error, on the same batches and updates as the recogniser.

    Args:
        train: The training clips.
        test: The normalised log-mels to predict `(M, 1, n_mels, n_frames)`.
        training: The recogniser's settings, whose updates, batch size, epochs, weight decay, precision and seed apply.
        device: The device to train on.

    Returns:
        The predictions; `inner` are those of the training clips themselves, as for the recogniser.
    """
    seed_step(training.seed, 0)
    model = SmallCnn(train.spectrogram.shape[2]).to(device)
    steps = total_steps(training.steps, training.epochs, len(train), training.batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=training.weight_decay)
    schedule = get_cosine_schedule_with_warmup(optimizer, round(0.1 * steps), steps)
    for step in range(steps):
        seed_step(training.seed, step)
        index = torch.from_numpy(batch_indices(len(train), training.batch_size, step, training.seed))
        batch = train[index].to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=training.bfloat16):
            predicted = model(batch.spectrogram)
        loss = functional.mse_loss(predicted.float(), batch.emotion)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"expected a finite loss of the small CNN, got {loss.item()} at step {step}")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return Fitted(_predict(model, test, device), _predict(model, train.spectrogram, device), [{"steps": steps}] * 2)


@torch.no_grad()
def _predict(model: nn.Module, spectrogram: Tensor, device: torch.device) -> np.ndarray:
    model.eval()
    return torch.cat([model(part.to(device)).double().cpu() for part in spectrogram.split(BATCH)]).numpy()
