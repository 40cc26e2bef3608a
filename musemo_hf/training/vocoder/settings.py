"""Settings of a vocoder's training."""

from dataclasses import dataclass, field
from typing import Any

from musemo_hf.training.configuration import Configuration


@dataclass
class VocoderTraining:
    """Settings of a vocoder's training.

    Attributes:
        steps: The number of iterations, each with one update of the vocoder.
        seconds: The number of seconds of iterations after which training ends, however many of `steps` are done; None
            for no limit. The result then depends on the speed of the machine.
        batch_size: The number of crops per iteration, over all processes.
        crop_frames: The number of frames of a crop.
        lr: The highest learning rate of AdamW, of both networks. It falls on a cosine over the run.
        gradient_norm: The norm to which gradients are clipped.
        stft_weight: The weight of the multi-resolution STFT loss.
        feature_weight: The weight of feature matching, beside the adversarial loss.
        adversarial_from: The share of the run after which the discriminators take part, in [0, 1]; 1 for none.
        discriminator_channels: The number of channels of each discriminator.
        ema_decay: The decay of the exponential moving average of the weights, which is what is saved.
        bfloat16: Whether to compute products in bfloat16.
        seed: The seed of initial weights, batches and crops.
        log_every: The number of iterations between lines of statistics.
        checkpoint_every: The number of iterations between checkpoints; 0 for only the last.

    Raises:
        ValueError: `adversarial_from` is out of its range, or a crop has no frames.
    """

    steps: int = 20000
    seconds: float | None = None
    batch_size: int = 8
    crop_frames: int = 48
    lr: float = 2e-4
    gradient_norm: float = 10.0
    stft_weight: float = 1.0
    feature_weight: float = 2.0
    adversarial_from: float = 0.3
    discriminator_channels: int = 8
    ema_decay: float = 0.999
    bfloat16: bool = False
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        if not 0 <= self.adversarial_from <= 1:
            raise ValueError(f"expected adversarial_from in [0, 1], got {self.adversarial_from}")
        if self.crop_frames < 8:
            raise ValueError(f"expected crop_frames of at least 8, got {self.crop_frames}")


@dataclass
class VocoderConfiguration(Configuration):
    """All settings of a run; `vocoder` are arguments of `MusemoVocoder`."""

    vocoder: dict[str, Any] = field(default_factory=dict)
    vocoder_training: VocoderTraining = field(default_factory=VocoderTraining)
