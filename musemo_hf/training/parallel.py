"""What a loop needs to know of the processes around it."""

from typing import Any

import numpy as np
import torch
from accelerate import Accelerator


class Parallel:
    """One model over all processes, or one a process.

    Args:
        accelerator: of the launch.
        data_parallel: each batch is split over the processes and gradients are averaged; where False the processes
            train models of their own side by side, and nothing is exchanged.
    """

    def __init__(self, accelerator: Accelerator, data_parallel: bool = True) -> None:
        self.accelerator, self.device = accelerator, accelerator.device
        self.world = accelerator.num_processes if data_parallel else 1
        self.rank = accelerator.process_index if data_parallel else 0

    @property
    def is_main(self) -> bool:
        """Whether this process writes checkpoints and statistics."""
        return self.rank == 0

    def model(self, model: Any) -> Any:
        """On the device, and wrapped for data parallelism where there is any."""
        return self.accelerator.prepare_model(model, evaluation_mode=self.world == 1)

    def unwrap(self, model: Any) -> Any:
        """The model itself."""
        return self.accelerator.unwrap_model(model)

    def share(self, batch: np.ndarray | torch.Tensor) -> Any:
        """This process's part of a batch over all processes.

        Raises:
            ValueError: the batch does not divide by the processes, or leaves one with nothing.
        """
        if len(batch) % self.world:
            raise ValueError(f"expected a batch size that {self.world} processes divide, got {len(batch)}")
        return batch[self.rank :: self.world]

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Mean over processes."""
        return self.accelerator.reduce(value, "mean") if self.world > 1 else value

    def wait(self) -> None:
        """Until every process of the model is here."""
        if self.world > 1:
            self.accelerator.wait_for_everyone()
