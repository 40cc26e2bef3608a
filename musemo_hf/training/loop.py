"""The training loop that all trainers share: resume, update, log, check, save and stop, over named objects."""

import logging
import math
import shutil
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, Protocol

import torch
from filelock import FileLock, Timeout
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from tqdm.auto import tqdm

from .checkpoint import checkpoints, load_checkpoint, newest_whole, save_checkpoint, step_of
from .identity import check_hardware, check_settings, hardware_of
from .interruption import Interruption, TrainingInterrupted
from .log import Statistics
from .parallel import Parallel

logger = logging.getLogger(__name__)
WATCHED = ("loss", "gradient", "penalty")  # endings of the names of values that must be finite
READ_EVERY = 10  # updates after which values are read at the latest


class RedFlagError(RuntimeError):
    """Training was stopped; the message says why, and the last good checkpoint still stands."""


class FolderInUseError(RuntimeError):
    """Another process is training in the folder of the run."""


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
        keep: The number of newest checkpoints that are kept; with two, one may be damaged and nothing is lost.

    Attributes:
        objects: Everything that `update` changes, by the name that it has in a checkpoint; see `save_checkpoint`.
        settings: What decides the result of the run, with the identity of its data as `data`; it is resumed with the
            same settings and the same data only.
        average: The averaged weights, whose model `train` returns.
        step: The number of updates that have been made.
        seconds: The number of seconds that they took.
        hardware: The hardware of each part of the run, see `check_hardware`.
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
        keep: int = 2,
    ) -> None:
        self.name, self.steps, self.parallel, self.keep = name, steps, parallel, keep
        self.run_dir = None if run_dir is None else Path(run_dir)
        self.log_every, self.checkpoint_every = training.log_every, training.checkpoint_every
        self.budget, self.check_every, self.read_every = budget, check_every, read_every
        self.step, self.seconds = 0, 0.0
        self.hardware = [{**hardware_of(parallel.device, parallel.world), "step": 0}]
        self.accepts_other_hardware = False
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

    def train(self, accept_other_hardware: bool = False) -> Any:
        """Run to the end, from the last whole checkpoint if there is one, and return the averaged model.

        Args:
            accept_other_hardware: Whether a run may go on that was begun on another device or with another number of
                processes. Checkpoints record it.

        Raises:
            RedFlagError: The training failed, for instance because a loss or a gradient is not finite. The last good
                checkpoint still stands.
            CheckpointError: The disk is full, or all checkpoints are damaged.
            ValueError: The checkpoint was made with other settings, with other data or on other hardware.
            FolderInUseError: Another process is training in the folder.
            TrainingInterrupted: A signal asked to stop, and a checkpoint was saved.
        """
        self.accepts_other_hardware = accept_other_hardware
        with self._alone(), Interruption() as interruption:
            if not self._resume():
                self.begin()
            statistics = None
            if self.run_dir is not None:
                statistics = Statistics(self.run_dir / f"{self.name}.jsonl", self.parallel, start=self.step)
            hidden = not self.parallel.is_main or parent_process() is not None  # workers share one terminal
            bar = tqdm(total=self.steps, initial=self.step, desc=self.name, disable=hidden, leave=None)
            try:
                while self.progress < 1:
                    self._timed_update()
                    bar.update()
                    self._after_update(statistics)
                    self._stop_if_asked(interruption)
            except RedFlagError as error:
                last = next(iter(self._checkpoints()[::-1]), None)
                raise RedFlagError(f"red flag at step {self.step}: {error}; last good checkpoint: {last}") from error
            finally:
                bar.close()
        return self.averaged_model

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from training in the same folder; the lock is released when this process dies."""
        if self.run_dir is None or not self.parallel.is_main:
            yield
            return
        self.run_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.run_dir / "run.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise FolderInUseError(
                f"expected no other process that trains in {self.run_dir}, found one that holds {lock.lock_file}"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _stop_if_asked(self, interruption: Interruption) -> None:
        """Save and leave if a signal has arrived, in all processes after the same update."""
        number = interruption.number
        if self.parallel.world > 1:
            if self.step % self.read_every:  # asked for together with the values, so that no update waits for it
                return
            asked = torch.tensor(float(number is not None), device=self.parallel.device)
            if self.parallel.mean(asked).item() and number is None:
                number = signal.SIGTERM
        if number is None or self.progress >= 1:
            return
        self._read()
        self.save()
        saved = "it has no folder" if self.run_dir is None else f"saved in {self.run_dir}, resumed by the same command"
        message = f"{signal.Signals(number).name} stopped the training {self.name} at step {self.step}: {saved}"
        logger.warning(message)
        raise TrainingInterrupted(number, message)

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
            for damaged in self._checkpoints():  # a checkpoint of a later step was skipped by the resumption
                if step_of(damaged) > self.step:
                    shutil.rmtree(damaged)
            state = {"settings": self._settings(), "seconds": self.seconds, "hardware": self.hardware}
            save_checkpoint(self.run_dir, self.step, self.objects, state, self.keep)
        self.parallel.wait()

    def _checkpoints(self) -> list[Path]:
        return [] if self.run_dir is None else checkpoints(self.run_dir)

    def _settings(self) -> dict[str, Any]:
        return {**self.settings, "accelerator": self.parallel.settings}

    def _resume(self) -> bool:
        found = None if self.run_dir is None else newest_whole(self.run_dir)
        if found is None:
            return False
        check_settings(found, self._settings(), self.accepts_other_hardware)
        now = hardware_of(self.parallel.device, self.parallel.world)
        self.hardware = check_hardware(found, now, self.accepts_other_hardware)
        state = load_checkpoint(found, self.objects)
        self.step, self.seconds = state["step"], state["seconds"]
        logger.info("resumed from %s", found)
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
