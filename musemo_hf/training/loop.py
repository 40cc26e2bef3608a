"""The training loop that all trainers share: resume, update, log, check, save and stop, over named objects."""

import logging
import math
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from tqdm.auto import tqdm

from .checkpoint import check_settings, checkpoints, load_checkpoint, save_checkpoint
from .log import Statistics
from .parallel import Parallel

logger = logging.getLogger(__name__)
WATCHED = ("loss", "gradient", "penalty")  # endings of the names of values that must be finite
READ_EVERY = 10  # updates after which values are read at the latest


class RedFlagError(RuntimeError):
    """Training was stopped; the message says why, and the last good checkpoint still stands."""


class LoopSettings(Protocol):
    """The settings that every training has."""

    seed: int
    log_every: int
    checkpoint_every: int


class TrainingLoop(ABC):
    """Base class of the trainers, which add networks, optimizers and one `update`.

    The values of an update stay on its device until they are due, so that a GPU does not wait for the loop.

    Args:
        name: The name of the statistics file, `<name>.jsonl`, and of the progress bar.
        training: The settings of the training.
        steps: The number of updates of the whole run.
        run_dir: The folder of the checkpoints and the statistics, from which a run is resumed. With None nothing is
            written.
        parallel: The processes.
        budget: If given, the run also ends after this many seconds of updates; a resumed run goes on counting.
        check_every: The number of updates between two calls of `check`.
        read_every: The number of updates after which `observe` is given their values at the latest.
        keep: The number of newest checkpoints that are kept.

    Attributes:
        objects: Everything that `update` changes, by the name that it has in a checkpoint; see `save_checkpoint`.
        settings: What decides the result of the run; it is resumed with the same settings only.
        average: The averaged weights, whose model `train` returns.
        step: The number of updates that have been made.
        seconds: The number of seconds that they took.
    """

    objects: dict[str, Any]
    settings: dict[str, Any]
    average: AveragedModel

    def __init__(
        self,
        name: str,
        training: LoopSettings,
        steps: int,
        run_dir: str | Path | None,
        parallel: Parallel,
        budget: float | None = None,
        check_every: int = 0,
        read_every: int = READ_EVERY,
        keep: int = 1,
    ) -> None:
        self.name, self.steps, self.parallel, self.keep = name, steps, parallel, keep
        self.run_dir = None if run_dir is None else Path(run_dir)
        self.log_every, self.checkpoint_every = training.log_every, training.checkpoint_every
        self.budget, self.check_every, self.read_every = budget, check_every, read_every
        self.step, self.seconds = 0, 0.0
        self.values: dict[str, float] = {}
        self._waiting: list[dict[str, Tensor | float]] = []

    @abstractmethod
    def update(self) -> dict[str, Tensor | float]:
        """Make update number `step`; the result must depend on the objects, the settings and `step` only.

        Returns:
            The values of the update, equal on all processes, as numbers or as scalar tensors on one device.
        """

    def begin(self) -> None:  # noqa: B027
        """Prepare a run that has no checkpoint yet."""

    def observe(self, values: dict[str, float]) -> None:  # noqa: B027
        """Look at the values of one update; called for each of them in order.

        Raises:
            RedFlagError: The training has failed.
        """

    def check(self, values: dict[str, float]) -> dict[str, float]:
        """Examine the networks, and return values that are logged beside those of the last update.

        Raises:
            RedFlagError: The training has failed.
        """
        return {}

    @property
    def averaged_model(self) -> Any:
        """The model with averaged weights, which is the result of a run."""
        return self.average.module

    @property
    def progress(self) -> float:
        """The share of the run that is done: of its updates, or of its seconds if these end it earlier."""
        share = self.step / self.steps
        return share if self.budget is None else max(share, self.seconds / self.budget)

    def train(self) -> Any:
        """Run to the end, from the last checkpoint if there is one, and return the averaged model.

        Raises:
            RedFlagError: The training failed, for instance because a loss or a gradient is not finite. The last good
                checkpoint still stands.
            CheckpointError: The disk is full.
            ValueError: The checkpoint was made with other settings.
        """
        if not self._resume():
            self.begin()
        statistics = None
        if self.run_dir is not None:
            statistics = Statistics(self.run_dir / f"{self.name}.jsonl", self.parallel, start=self.step)
        bar = tqdm(total=self.steps, initial=self.step, desc=self.name, disable=not self.parallel.is_main)
        try:
            while self.progress < 1:
                self._timed_update()
                bar.update()
                self._after_update(statistics)
        except RedFlagError as error:
            last = next(iter(self._checkpoints()[::-1]), None)
            raise RedFlagError(f"red flag at step {self.step}: {error}; last good checkpoint: {last}") from error
        finally:
            bar.close()
        return self.averaged_model

    def descend(self, loss: Tensor, network: Any, optimizer: torch.optim.Optimizer, norm: float) -> dict[str, Any]:
        """Make one step of an optimizer down the gradient of a loss, clipped to a norm.

        Returns:
            `loss`, the mean over the processes, and `gradient`, the norm of the gradient before it was clipped.
        """
        optimizer.zero_grad(set_to_none=True)
        self.parallel.accelerator.backward(loss)
        gradient = torch.nn.utils.clip_grad_norm_(network.parameters(), norm)
        optimizer.step()
        return {"loss": self.parallel.mean(loss.detach()), "gradient": gradient}

    def save(self) -> None:
        """Write a checkpoint."""
        if self.parallel.is_main and self.run_dir is not None:
            state = {"settings": self.settings, "seconds": self.seconds}
            save_checkpoint(self.run_dir, self.step, self.objects, state, self.keep)
        self.parallel.wait()

    def _checkpoints(self) -> list[Path]:
        return [] if self.run_dir is None else checkpoints(self.run_dir)

    def _resume(self) -> bool:
        found = self._checkpoints()
        if not found:
            return False
        check_settings(found[-1], self.settings)
        state = load_checkpoint(found[-1], self.objects)
        self.step, self.seconds = state["step"], state["seconds"]
        logger.info("resumed from %s", found[-1])
        return True

    def _timed_update(self) -> None:
        started = time.perf_counter()
        self._waiting.append(self.update())
        self.step += 1
        if self.budget is not None:
            self._read()  # waits until the device has finished
        seconds = self.seconds + time.perf_counter() - started
        if self.budget is not None and self.parallel.world > 1:  # the same in all processes, so that all stop together
            seconds = self.parallel.mean(torch.tensor(seconds, device=self.parallel.device)).item()
        self.seconds = seconds

    def _after_update(self, statistics: Statistics | None) -> None:
        done = self.progress >= 1
        logs, checks, saves = (
            is_due(self.step, every, done) for every in (self.log_every, self.check_every, self.checkpoint_every)
        )
        if logs or checks or saves or self.step % self.read_every == 0:
            self._read()
        values = self.values | (self.check(self.values) if checks else {})
        if statistics is not None and (logs or checks):
            statistics.log(self.step - 1, **values)
        if saves:
            self.save()

    def _read(self) -> None:
        """Fetch the values of all updates since the last time together, and look at each of them."""
        waiting, self._waiting = self._waiting, []
        tensors = [value.detach().float() for values in waiting for value in values.values() if torch.is_tensor(value)]
        numbers = iter(torch.stack(tensors).tolist() if tensors else [])
        for values in waiting:
            self.values = {name: next(numbers) if torch.is_tensor(v) else v for name, v in values.items()}
            for name, value in self.values.items():
                # a gradient that is not finite has spoilt the weights already, a loss will do so
                if name.endswith(WATCHED) and not math.isfinite(value):
                    raise RedFlagError(f"{name} is {value}")
            self.observe(self.values)


def is_due(step: int, every: int, done: bool) -> bool:
    """Tell whether something that is done every so many updates is due after `step` updates.

    Args:
        step: The number of updates that have been made, from 1.
        every: The number of updates between two times; 0 for the end of the run only.
        done: Whether the run has ended; everything is due then.

    Raises:
        ValueError: `every` is negative.
    """
    if every < 0:
        raise ValueError(f"expected updates between two times, or 0 for none but the last, got {every}")
    return done or (every > 0 and step % every == 0)
