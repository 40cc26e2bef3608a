"""The processes that train a model."""

from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType

PRECISIONS = ("no", "bf16")
DISTRIBUTED = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)


class Parallel:
    """The processes of one model: all of the launch, or this one only.

    Args:
        accelerator: The accelerator of the launch.
        data_parallel: Whether each batch is split over the processes and gradients are averaged. If False, each process
            trains a model of its own, and nothing is exchanged.

    Raises:
        ValueError: The accelerator has settings that the training loop does not obey.
    """

    def __init__(self, accelerator: Accelerator, data_parallel: bool = True) -> None:
        _check(accelerator)
        self.accelerator, self.device = accelerator, accelerator.device
        self.world = accelerator.num_processes if data_parallel else 1
        self.rank = accelerator.process_index if data_parallel else 0

    @property
    def is_main(self) -> bool:
        """Whether this process writes checkpoints and statistics."""
        return self.rank == 0

    @property
    def settings(self) -> dict[str, str]:
        """What the accelerator changes in the result of a training."""
        plugin = self.accelerator.state.dynamo_plugin
        return {"mixed_precision": str(self.accelerator.mixed_precision), "dynamo_backend": plugin.backend.value}

    def model(self, model: Any) -> Any:
        """Move a model to the device, and wrap it for data parallelism if there is any."""
        return self.accelerator.prepare_model(model, evaluation_mode=self.world == 1)

    def unwrap(self, model: Any) -> Any:
        """Return the model without its wrapper."""
        return self.accelerator.unwrap_model(model)

    def share(self, batch: np.ndarray | torch.Tensor) -> Any:
        """Return this process's part of a batch.

        Raises:
            ValueError: The batch size is not divisible by the number of processes.
        """
        if len(batch) % self.world:
            raise ValueError(f"expected a batch size that {self.world} processes divide, got {len(batch)}")
        return batch[self.rank :: self.world]

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Return the mean over the processes."""
        return self.accelerator.reduce(value, "mean") if self.world > 1 else value

    def wait(self) -> None:
        """Wait until every process of the model is here."""
        if self.world > 1:
            self.accelerator.wait_for_everyone()


def _check(accelerator: Accelerator) -> None:
    """Refuse what would silently train something else than the settings say."""
    if (steps := accelerator.gradient_accumulation_steps) != 1:
        raise ValueError(
            f"expected gradient_accumulation_steps 1, got {steps} (ACCELERATE_GRADIENT_ACCUMULATION_STEPS, or the file "
            "of `accelerate config`): each update is one batch; set a larger batch_size instead"
        )
    if (precision := str(accelerator.mixed_precision)) not in PRECISIONS:
        raise ValueError(
            f"expected mixed_precision {' or '.join(PRECISIONS)}, got {precision!r}: losses are not scaled, as float16 "
            "needs; set bfloat16: true in the section of the training instead"
        )
    if (kind := accelerator.distributed_type) not in DISTRIBUTED:
        raise ValueError(
            f"expected one process, or several with a whole copy of the model each, got {kind.value}: checkpoints "
            "would hold a part of the weights"
        )
