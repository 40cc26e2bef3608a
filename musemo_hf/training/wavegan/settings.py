"""Settings of a WaveGAN's training."""

from dataclasses import dataclass, field
from typing import Any

from musemo_hf.training.configuration import Configuration


@dataclass
class WaveganTraining:
    """Settings of a WaveGAN's training.

    Attributes:
        steps: The number of iterations, each with one update of the discriminator and one of the generator.
        seconds: The number of seconds of iterations after which training ends, however many of `steps` are done; None
            for no limit. The result then depends on the speed of the machine.
        batch_size: The number of clips per iteration, over all processes.
        generator_lr: The learning rate of the generator.
        discriminator_lr: The learning rate of the discriminator.
        gamma: The weight of the gradient penalties on real and generated clips (R1 and R2).
        gradient_norm: The norm to which gradients are clipped.
        discriminator_channels: The number of channels of the discriminator's first stage.
        phase_shuffle: The largest shift of the phase shuffle in samples; 0 for none.
        ema_decay: The decay of the exponential moving average of the generator's weights, which is what is saved.
        seed: The seed of initial weights, batches and noise.
        log_every: The number of iterations between lines of statistics.
        checkpoint_every: The number of iterations between checkpoints; 0 for only the last.

    Raises:
        ValueError: `gamma` is negative.
    """

    steps: int = 20000
    seconds: float | None = None
    batch_size: int = 16
    generator_lr: float = 2e-4
    discriminator_lr: float = 2e-4
    gamma: float = 1.0
    gradient_norm: float = 10.0
    discriminator_channels: int = 8
    phase_shuffle: int = 2
    ema_decay: float = 0.999
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 250

    def __post_init__(self) -> None:
        if self.gamma < 0:
            raise ValueError(f"expected gamma of at least 0, got {self.gamma}")


@dataclass
class WaveganConfiguration(Configuration):
    """All settings of a run; `wavegan` are arguments of `MusemoWaveganGenerator`."""

    wavegan: dict[str, Any] = field(default_factory=dict)
    wavegan_training: WaveganTraining = field(default_factory=WaveganTraining)
