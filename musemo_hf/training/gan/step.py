"""One iteration of a GAN's training: both networks, their optimizers and their losses."""

from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.profiler import record_function

from musemo_hf.models.gan import MusemoGanConfig, MusemoGanDiscriminator, MusemoGanGenerator
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import step_generator

from .augmentation import diff_augment
from .auxiliary_losses import Guidance
from .losses import accuracy, discriminator_loss, finite_difference_penalty, generator_loss, gradient_penalty
from .settings import GanTraining

NOISE_SHARE = 0.5  # of the steps, over which instance noise falls to 0 (Sonderby et al. 2017, section 3.2)
AUGMENTATION = 2000  # stream of the augmentation's draws; ranks are added
PARTS = (
    "generator forward",
    "augmentation",
    "discriminator forward",
    "discriminator penalty",
    "discriminator backward",
    "discriminator optimizer",
    "generator loss",
    "generator backward",
    "generator optimizer",
    "weight average",
)


class Batch(NamedTuple):
    """The real clips of one iteration, on the device.

    Attributes:
        spectrogram: Normalised log-mels `(B, 1, n_mels, n_frames)`.
        emotion: Their emotions, `(B, 2)`.
        noise: The noise of the generated clips of the same emotions, `(B, noise_dim)`.
        codes: The codes of the songs `(B, song_dim)`, which the noise begins with; None without.
    """

    spectrogram: Tensor
    emotion: Tensor
    noise: Tensor
    codes: Tensor | None = None

    @property
    def condition(self) -> Tensor:
        """What the discriminator is told of real and generated clips, `(B, 2 + song_dim)`."""
        return self.emotion if self.codes is None else torch.cat([self.emotion, self.codes], dim=1)


class GanStep:
    """Holds the networks, and updates them in one iteration.

    A profile (`torch.profiler`) shows the parts of an iteration by the names in `PARTS`.

    Args:
        config: The configuration of the networks.
        training: The settings of the training.
        steps: The number of iterations of the run, over which noise and penalties decay.
        parallel: The processes.

    Raises:
        ValueError: A pretrained discriminator is combined with an exact gradient penalty.
    """

    def __init__(self, config: MusemoGanConfig, training: GanTraining, steps: int, parallel: Parallel) -> None:
        if config.pretrained_config and training.penalty == "exact" and (training.r1_gamma or training.r2_gamma):
            raise ValueError(
                "expected penalty 'finite_difference', or none, with a pretrained discriminator, whose attention has "
                "no second derivative; got 'exact'"
            )
        self.training, self.steps, self.parallel = training, steps, parallel
        # channels last: convolutions of few channels run about a fifth faster so, on a CPU as on a GPU
        self.generator = parallel.model(MusemoGanGenerator(config).to(memory_format=torch.channels_last))
        self.discriminator = parallel.model(MusemoGanDiscriminator(config).to(memory_format=torch.channels_last))
        self.average = AveragedModel(
            parallel.unwrap(self.generator), multi_avg_fn=get_ema_multi_avg_fn(training.ema_decay)
        )
        self.critic_parameters = [p for p in self.discriminator.parameters() if p.requires_grad]
        self.optimizers = {
            "generator": self._optimizer(self.generator, training.generator_lr),
            "discriminator": self._optimizer(self.discriminator, training.discriminator_lr),
        }
        self.guidance = Guidance(training, config).to(parallel.device)
        self.device_type = parallel.device.type
        if self.device_type == "cuda" and training.compile:
            self.generator.compile()
            if training.penalty != "exact":  # a compiled network has no second derivative
                self.discriminator.compile()

    def _optimizer(self, network: Any, lr: float) -> torch.optim.Optimizer:
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        return torch.optim.Adam(parameters, lr, self.training.betas, fused=True)

    def _set_rates(self, step: int) -> None:
        """Set the learning rates, which depend on the step only, so that a resumed run has the same."""
        training = self.training
        left = (self.steps - step) / (training.lr_decay * self.steps) if training.lr_decay else 1.0
        rates = {"generator": training.generator_lr, "discriminator": training.discriminator_lr}
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = rates[name] * min(1.0, left)

    def autocast(self) -> AbstractContextManager:
        """Compute products and convolutions in bfloat16; losses, norms, averages and optimizers stay in float32."""
        return torch.autocast(self.device_type, torch.bfloat16, enabled=self.training.bfloat16)

    def iterate(self, step: int, batch: Batch, updates: tuple[bool, bool]) -> dict[str, Tensor | float]:
        """Make one iteration.

        Args:
            step: The number of iterations that have been made.
            batch: The real clips and the noise.
            updates: Whether the discriminator updates, and whether the generator does.

        Returns:
            Losses, gradient norms and accuracy, averaged over the processes, on the device.
        """
        self._set_rates(step)
        draws = step_generator(self.training.seed, step, AUGMENTATION + self.parallel.rank)
        # one forward pass serves both updates
        with record_function("generator forward"), torch.set_grad_enabled(updates[1]), self.autocast():
            fake = self.generator(emotion=batch.emotion, noise=batch.noise).spectrogram
        real_logits, values = self.update_discriminator(step, batch, fake.detach(), updates[0], draws)
        if updates[1]:
            values |= self.update_generator(step, batch, fake, real_logits, draws)
        return values

    def seen(self, spectrogram: Tensor, step: int, draws: torch.Generator) -> Tensor:
        """Augment clips and add the decaying instance noise, as the discriminator sees them."""
        training = self.training
        if training.augmentation != "none":
            hides_frames = training.augmentation == "diffaugment"
            spectrogram = diff_augment(spectrogram, draws, training.augmentation_probability, hides_frames)
        share = 1 - step / max(1.0, NOISE_SHARE * self.steps)
        if training.instance_noise <= 0 or share <= 0:
            return spectrogram
        return spectrogram + training.instance_noise * share * torch.randn_like(spectrogram)

    def update_discriminator(
        self, step: int, batch: Batch, fake: Tensor, update: bool, draws: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Update the discriminator if `update` is True; return the logits of the real clips and the values."""
        training = self.training
        gammas = self._gammas(step) if update else (0.0, 0.0)
        with record_function("augmentation"):
            shown = self.seen(torch.cat([batch.spectrogram, fake.to(batch.spectrogram)]), step, draws)
        shown.requires_grad_(any(gammas) and training.penalty == "exact")
        condition = batch.condition.repeat(2, 1)
        with torch.set_grad_enabled(update):
            with record_function("discriminator forward"), self.autocast():
                logits = self.discriminator(spectrogram=shown, emotion=condition).logits.float()
            real_logits, fake_logits = logits.chunk(2)
            loss = discriminator_loss(training.loss, real_logits, fake_logits, training.real_label)
            with record_function("discriminator penalty"):
                penalised = loss + self._penalty(shown, condition, logits, gammas) if any(gammas) else loss
        values: dict[str, Tensor | float] = {"discriminator_loss": self.parallel.mean(loss.detach())}
        values["accuracy"] = self.parallel.mean(accuracy(training.loss, real_logits.detach(), fake_logits.detach()))
        if any(gammas):
            values["penalty"] = self.parallel.mean((penalised - loss).detach())
        if update:
            values["discriminator_gradient"] = self._descend("discriminator", penalised)
        return real_logits.detach(), values

    def _gammas(self, step: int) -> tuple[float, float]:
        """Return the weights of R1 and R2, times the number of iterations that this one stands for."""
        training = self.training
        if step % training.penalty_every:
            return 0.0, 0.0
        factor = training.penalty_every * training.gamma_decay ** (step / self.steps)
        return training.r1_gamma * factor, training.r2_gamma * factor

    def _penalty(self, shown: Tensor, emotion: Tensor, logits: Tensor, gammas: tuple[float, float]) -> Tensor:
        """Return half of gamma times the mean squared gradient norm, R1 + R2 (Huang et al. 2024, eq. 3 and 4)."""
        if self.training.penalty == "exact":
            squared = gradient_penalty(logits, shown)
        else:
            # in float32 always: bfloat16 rounds the logits by more than the little noise changes them
            critic = self.parallel.unwrap(self.discriminator)
            if self.training.bfloat16:
                logits = critic(shown, emotion).logits
            squared = finite_difference_penalty(
                logits, shown, lambda clips: critic(clips, emotion).logits, torch.randn_like(shown)
            )
        on_real, on_fake = squared.chunk(2)
        return 0.5 * (gammas[0] * on_real.mean() + gammas[1] * on_fake.mean())

    def update_generator(
        self, step: int, batch: Batch, fake: Tensor, real_logits: Tensor, draws: torch.Generator
    ) -> dict[str, Tensor | float]:
        """Update the generator by the discriminator's and the frozen models' output for the generated clips."""
        for parameter in self.critic_parameters:  # their gradients would be thrown away, and are a third of the work
            parameter.requires_grad_(False)
        with record_function("augmentation"):
            shown = self.seen(fake.float(), step, draws)
        with record_function("generator loss"):
            loss, values = self._generator_loss(shown, fake, batch, real_logits)
        values["generator_gradient"] = self._descend("generator", loss)
        for parameter in self.critic_parameters:
            parameter.requires_grad_(True)
        with record_function("weight average"):
            self.average.update_parameters(self.parallel.unwrap(self.generator))
        return values

    def _generator_loss(
        self, shown: Tensor, fake: Tensor, batch: Batch, real_logits: Tensor
    ) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the loss of the generator, and the values of its parts."""
        training, critic = self.training, self.parallel.unwrap(self.discriminator)
        with self.autocast():
            logits = critic(spectrogram=shown, emotion=batch.condition).logits
        loss = generator_loss(training.loss, logits.float(), real_logits)
        values: dict[str, Tensor | float] = {"generator_loss": self.parallel.mean(loss.detach())}
        with self.autocast():
            for name, value in self.guidance(fake, batch.spectrogram, batch.emotion).items():
                loss = loss + getattr(training, f"{name}_weight") * value
                values[f"{name}_loss"] = self.parallel.mean(value.detach())
        return loss, values

    def _descend(self, name: str, loss: Tensor) -> Tensor:
        optimizer = self.optimizers[name]
        with record_function(f"{name} backward"):
            self.parallel.accelerator.backward(loss)
        with record_function(f"{name} optimizer"):
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
            if self.training.gradient_norm > 0:
                clip_grads_with_norm_(parameters, self.training.gradient_norm, norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return norm.detach()
