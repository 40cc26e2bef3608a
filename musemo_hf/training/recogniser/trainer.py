"""The recogniser's training loop."""

import logging
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import cast

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm.auto import tqdm
from transformers import get_cosine_schedule_with_warmup

from musemo_hf.models.vit import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.models.vit.backbone import load_backbone
from musemo_hf.training.checkpoint import (
    check_settings,
    checkpoints,
    read_state,
    read_tensors,
    save_checkpoint,
    shape_of,
)
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import RecogniserTraining
from musemo_hf.training.interval import is_due
from musemo_hf.training.log import Statistics
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator, total_steps

from .augmentation import augmentation
from .layer_decay import layer_groups
from .masked_pretraining import pretrain
from .prediction import predict, predict_with_deviation

__all__ = ["RecogniserTrainer", "predict", "predict_with_deviation"]

logger = logging.getLogger(__name__)
PRETRAINING = "pretraining"  # folder of its checkpoints


class RecogniserTrainer:
    """Trains a ViT to read emotion from clips, for a number of updates fixed beforehand.

    Args:
        config: of the network.
        training: settings.
        clips: training clips, real, synthetic or both; batches are drawn uniformly from all.
        run_dir: checkpoints and `recogniser.jsonl` go here; None writes nothing.
        accelerator: of the launch.
        data_parallel: see `Parallel`.
        label_deviation: `(N, 2)` deviation of the raters about the clips' emotions, for a `config` with `uncertainty`.

    Raises:
        ValueError: an unknown augmentation or rate, or label deviations that nothing reads or that are not the clips'.
    """

    def __init__(
        self,
        config: MusemoViTConfig,
        training: RecogniserTraining,
        clips: Clips,
        run_dir: str | Path | None = None,
        accelerator: Accelerator | None = None,
        data_parallel: bool = True,
        label_deviation: Tensor | None = None,
    ) -> None:
        _check_label_deviation(label_deviation, config, clips)
        self.augment = augmentation(training.augmentation)
        self.config, self.training, self.run_dir = config, training, None if run_dir is None else Path(run_dir)
        self.parallel = Parallel(accelerator or Accelerator(), data_parallel)
        self.clips = clips.to(self.parallel.device)
        self.label_deviation = None if label_deviation is None else label_deviation.to(self.clips.emotion)
        self.steps = total_steps(training.steps, training.epochs, len(clips), training.batch_size)
        seed_step(training.seed, 0)
        network = MusemoViTForEmotionRegression(config).to(self.parallel.device)
        network.fit_in_closed_form(self.clips.spectrogram, self.clips.emotion)
        if training.bfloat16 and self.parallel.device.type == "cpu":
            network.set_attn_implementation("eager")  # the fused attention's gradient in bfloat16 is slow on a CPU
        self.model = self.parallel.model(network)
        network = self.parallel.unwrap(self.model)
        self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.ema_decay))
        self.optimizer = torch.optim.AdamW(
            layer_groups(network, training.lr, training.layer_decay), training.lr, weight_decay=training.weight_decay
        )
        self.schedule = get_cosine_schedule_with_warmup(self.optimizer, round(training.warmup * self.steps), self.steps)
        self.settings = {**asdict(training), "n_clips": len(clips), "config": shape_of(config)}
        if label_deviation is not None:
            self.settings["label_deviation"] = float(label_deviation.double().mean())
        self.step = 0

    @property
    def averaged_model(self) -> MusemoViTForEmotionRegression:
        """The recogniser with averaged weights, which is what a run makes."""
        return cast(MusemoViTForEmotionRegression, self.average.module)

    def train(self) -> MusemoViTForEmotionRegression:
        """Run to the end, from the last checkpoint on where there is one; returns the averaged recogniser.

        Raises:
            FloatingPointError: the loss or its gradient is NaN or infinite; the last checkpoint stands.
            CheckpointError: the disk is full.
        """
        if not self._resume():
            self._begin()
        statistics = None
        if self.run_dir is not None:
            statistics = Statistics(self.run_dir / "recogniser.jsonl", self.parallel, start=self.step)
        progress = tqdm(total=self.steps, initial=self.step, desc="recogniser", disable=not self.parallel.is_main)
        while self.step < self.steps:
            values = self._update()
            self.step += 1
            progress.update()
            done = self.step == self.steps
            if statistics is not None and is_due(self.step, self.training.log_every, done):
                statistics.log(self.step - 1, **{name: float(value) for name, value in values.items()})
            if self.run_dir is not None and is_due(self.step, self.training.checkpoint_every, done):
                self._save()
        progress.close()
        return self.averaged_model

    def _update(self) -> dict[str, Tensor]:
        training, step = self.training, self.step
        seed_step(training.seed, step, self.parallel.rank)
        index = batch_indices(len(self.clips), training.batch_size, step, training.seed)
        chosen = torch.from_numpy(self.parallel.share(index))
        batch = self.clips[chosen]
        generator = step_generator(training.seed, step, self.parallel.rank)
        told = batch.emotion
        if self.label_deviation is not None:  # mixed as the emotions are
            told = torch.cat([told, self.label_deviation[chosen]], dim=1)
        spectrogram, told = self.augment(batch.spectrogram, told, generator)
        deviation = None if self.label_deviation is None else told[:, 2:]
        self.model.train()
        with torch.autocast(self.parallel.device.type, torch.bfloat16, enabled=training.bfloat16):
            loss = self.model(spectrogram=spectrogram, labels=told[:, :2], label_deviation=deviation).loss
        self.optimizer.zero_grad(set_to_none=True)
        self.parallel.accelerator.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), training.gradient_norm)
        # the mean over processes and the gradient norm are the same on all of them, so that all stop together
        mean_loss = self.parallel.mean(loss.detach())
        if not torch.isfinite(mean_loss + norm):
            raise FloatingPointError(
                f"expected a finite loss and gradient, got {mean_loss.item()} and {norm.item()} at step {step}"
            )
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.parallel.unwrap(self.model))
        return {"loss": mean_loss, "gradient": norm}

    def _save(self) -> None:
        if self.parallel.is_main and self.run_dir is not None:
            save_checkpoint(
                self.run_dir,
                self.step,
                models={"recogniser": self.parallel.unwrap(self.model), "averaged_recogniser": self.averaged_model},
                tensors={
                    "n_averaged": self.average.n_averaged,
                    "optimizer": self.optimizer.state_dict(),
                    "schedule": self.schedule.state_dict(),
                },
                state={"settings": self.settings},
                keep=1,
            )
            shutil.rmtree(self.run_dir / PRETRAINING, ignore_errors=True)  # the run goes on from here
        self.parallel.wait()

    def _begin(self) -> None:
        """Weights that a run begins with: the backbone's, then what masked pretraining makes of them."""
        network, training = self.parallel.unwrap(self.model), self.training
        if self.config.backbone is not None:
            load_backbone(network)
        if training.pretraining_steps:
            folder = None if self.run_dir is None else self.run_dir / PRETRAINING
            pretrain(network, self.clips.spectrogram, training, folder, writes=self.parallel.is_main)
        if self.parallel.world > 1:  # each process made them alone, which a GPU may not do alike
            for value in network.state_dict().values():
                broadcast(value)
        self.averaged_model.load_state_dict(network.state_dict())

    def _resume(self) -> bool:
        found = checkpoints(self.run_dir) if self.run_dir is not None else []
        if not found:
            return False
        state, tensors = read_state(found[-1]), read_tensors(found[-1])
        check_settings(found[-1], state, self.settings)
        for name, network in (
            ("recogniser", self.parallel.unwrap(self.model)),
            ("averaged_recogniser", self.averaged_model),
        ):
            network.load_state_dict(MusemoViTForEmotionRegression.from_pretrained(found[-1] / name).state_dict())
        self.optimizer.load_state_dict(tensors["optimizer"])
        self.schedule.load_state_dict(tensors["schedule"])
        self.average.n_averaged.copy_(tensors["n_averaged"])
        self.step = state["step"]
        logger.info("resumed from %s", found[-1])
        return True


def _check_label_deviation(label_deviation: Tensor | None, config: MusemoViTConfig, clips: Clips) -> None:
    if label_deviation is None:
        return
    if not config.uncertainty:
        raise ValueError("expected a configuration with uncertainty=True for label deviations, got uncertainty=False")
    finite = bool(torch.isfinite(label_deviation).all()) and bool((label_deviation >= 0).all())
    if label_deviation.shape != clips.emotion.shape or not finite:
        raise ValueError(
            f"expected finite label_deviation from 0 of shape {tuple(clips.emotion.shape)}, "
            f"got {tuple(label_deviation.shape)}{'' if finite else ' with negative or infinite values'}"
        )
