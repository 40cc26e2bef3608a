"""A small convolutional network (CNN), a baseline of the recogniser."""

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional
from transformers import get_cosine_schedule_with_warmup

from musemo_hf.training.clips import Clips
from musemo_hf.training.identity import data_identity
from musemo_hf.training.loop import TrainingLoop
from musemo_hf.training.parallel import Parallel
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


class SmallCnnTrainer(TrainingLoop):
    """Trains the network with the squared error, on the same batches and updates as the recogniser.

    Args:
        clips: The training clips.
        training: The recogniser's settings, whose updates, batch size, epochs, weight decay, precision and seed apply.
        run_dir: The folder of the checkpoints and of `cnn.jsonl`; with None nothing is written.
        accelerator: The accelerator of the launch; None makes one.
    """

    def __init__(
        self,
        clips: Clips,
        training: RecogniserTraining,
        run_dir: str | Path | None = None,
        accelerator: Accelerator | None = None,
    ) -> None:
        steps = total_steps(training.steps, training.epochs, len(clips), training.batch_size)
        super().__init__("cnn", training, steps, run_dir, Parallel(accelerator or Accelerator(), False))
        self.clips, self.training = clips, training
        seed_step(training.seed, 0)
        self.network = SmallCnn(clips.spectrogram.shape[2]).to(self.parallel.device)
        parameters = self.network.parameters()
        self.optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=training.weight_decay)
        self.schedule = get_cosine_schedule_with_warmup(self.optimizer, round(0.1 * steps), steps)
        self.objects = {"network": self.network, "optimizer": self.optimizer, "schedule": self.schedule}
        self.settings = {**asdict(training), "data": data_identity(clips)}

    @property
    def averaged_model(self) -> SmallCnn:
        """The network itself; its weights are not averaged."""
        return self.network

    def update(self) -> dict[str, Tensor | float]:
        """Make one step of the optimizer, along the gradient as it is."""
        training, step, device = self.training, self.step, self.parallel.device
        seed_step(training.seed, step)
        index = torch.from_numpy(batch_indices(len(self.clips), training.batch_size, step, training.seed))
        batch = self.clips[index].to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=training.bfloat16):
            predicted = self.network(batch.spectrogram)
        loss = functional.mse_loss(predicted.float(), batch.emotion)
        values = self.descend(loss, self.network, self.optimizer, norm=math.inf)
        self.schedule.step()
        return values


def fit_cnn(trainer: SmallCnnTrainer, test: Tensor, accept_other_hardware: bool = False) -> Fitted:
    """Train the network, and predict.

    Args:
        trainer: The trainer.
        test: The normalised log-mels to predict `(M, 1, n_mels, n_frames)`.
        accept_other_hardware: See `TrainingLoop.train`.

    Returns:
        The predictions; `inner` are those of the training clips themselves, as for the recogniser.

    Raises:
        RedFlagError: A loss or a gradient is not finite.
    """
    model = trainer.train(accept_other_hardware)
    device, steps = trainer.parallel.device, {"steps": trainer.steps}
    return Fitted(_predict(model, test, device), _predict(model, trainer.clips.spectrogram, device), [steps] * 2)


@torch.no_grad()
def _predict(model: nn.Module, spectrogram: Tensor, device: torch.device) -> np.ndarray:
    model.eval()
    return torch.cat([model(part.to(device)).double().cpu() for part in spectrogram.split(BATCH)]).numpy()
