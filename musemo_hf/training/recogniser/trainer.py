"""The trainer of the recogniser."""

import copy
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import get_cosine_schedule_with_warmup

from musemo_hf.models.vit import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.models.vit.backbone import load_backbone
from musemo_hf.training.checkpoint import checkpoints, shape_of
from musemo_hf.training.clips import Clips
from musemo_hf.training.identity import data_identity
from musemo_hf.training.loop import TrainingLoop
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator, total_steps

from .augmentation import augmentation
from .half_precision import InBFloat16
from .layer_decay import layer_groups
from .masked_pretraining import MaskedPretraining
from .settings import RecogniserTraining


class RecogniserTrainer(TrainingLoop):
    """Trains a ViT to predict emotion from clips, for a number of updates that is fixed beforehand.

    Args:
        config: The configuration of the network.
        training: The settings of the training.
        clips: The training clips, real, synthetic or both; batches are drawn uniformly from all.
        run_dir: The folder of the checkpoints and of `recogniser.jsonl`; with None nothing is written.
        accelerator: The accelerator of the launch; None makes one.
        data_parallel: See `Parallel`.
        label_deviation: The deviation of the raters about the emotion of each clip, `(N, 2)`, for a `config` with
            `uncertainty`.
        origin: Where the clips come from, see `origin_of`.

    Raises:
        ValueError: An augmentation is unknown, a rate is out of its range, or the label deviations are not used or are
            not those of the clips.
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
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        _check_label_deviation(label_deviation, config, clips)
        parallel = Parallel(accelerator or Accelerator(), data_parallel)
        steps = total_steps(training.steps, training.epochs, len(clips), training.batch_size)
        super().__init__("recogniser", training, steps, run_dir, parallel)
        config = copy.deepcopy(config)  # bfloat16 chooses another attention, which is not the caller's wish
        self.config, self.training = config, training
        self.augment = augmentation(training.augmentation, config.window_frames)
        self.clips = clips.to(parallel.device)
        self.label_deviation = None if label_deviation is None else label_deviation.to(self.clips.emotion)
        seed_step(training.seed, 0)
        network = MusemoViTForEmotionRegression(config).to(parallel.device)
        network.fit_in_closed_form(self.clips.spectrogram, self.clips.emotion)
        self.network = network
        self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.ema_decay))
        in_half = training.bfloat16 and parallel.device.type == "cpu"
        self.autocasts = training.bfloat16 and not in_half
        self.model = parallel.model(InBFloat16(network) if in_half else network)
        groups = layer_groups(network, training.lr, training.layer_decay)
        self.optimizer = torch.optim.AdamW(groups, training.lr, weight_decay=training.weight_decay, fused=True)
        self.schedule = get_cosine_schedule_with_warmup(self.optimizer, round(training.warmup * steps), steps)
        self.objects = {
            "recogniser": self.network,
            "averaged_recogniser": self.average,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }
        data = data_identity(clips, label_deviation, origin)
        self.settings = {**asdict(training), "data": data, "config": shape_of(config)}
        self.pretraining_dir = None if self.run_dir is None else self.run_dir / "pretraining"

    def begin(self) -> None:
        """Load the backbone's weights, if there is one, and pretrain the encoder, if the settings say so."""
        if self.config.backbone is not None:
            load_backbone(self.network)
        if self.training.pretraining_steps:
            spectrogram, training = self.clips.spectrogram, self.training
            pretraining = MaskedPretraining(self.network, spectrogram, training, self.pretraining_dir, self.parallel)
            pretraining.train(self.accepts_other_hardware)
        if self.parallel.world > 1:  # each process made them alone, and on a GPU they may differ
            for value in self.network.state_dict().values():
                broadcast(value)
        self.averaged_model.load_state_dict(self.network.state_dict())

    def update(self) -> dict[str, Tensor | float]:
        """Make one step of the optimizer."""
        training, step = self.training, self.step
        seed_step(training.seed, step, self.parallel.rank)
        index = batch_indices(len(self.clips), training.batch_size, step, training.seed)
        chosen = torch.from_numpy(self.parallel.share(index))
        generator = step_generator(training.seed, step, self.parallel.rank)
        labels = self.clips.emotion[chosen]
        if self.label_deviation is not None:  # mixed as the emotions are
            labels = torch.cat([labels, self.label_deviation[chosen]], dim=1)
        spectrogram, labels = self.augment(self.clips.spectrogram[chosen], labels, generator)
        deviation = None if self.label_deviation is None else labels[:, 2:]
        self.model.train()
        with torch.autocast(self.parallel.device.type, torch.bfloat16, enabled=self.autocasts):
            loss = self.model(spectrogram=spectrogram, labels=labels[:, :2], emotion_deviation=deviation).loss
        values = self.descend(loss, self.model, self.optimizer, training.gradient_norm)
        self.schedule.step()
        self.average.update_parameters(self.network)
        return values

    def save(self) -> None:
        """Write a checkpoint, after which the checkpoints of the pretraining are not needed any more."""
        super().save()
        if self.parallel.is_main and self.pretraining_dir is not None:
            for checkpoint in checkpoints(self.pretraining_dir):
                rmtree(checkpoint)


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
