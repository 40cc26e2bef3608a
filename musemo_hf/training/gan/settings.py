"""Settings of a GAN's training."""

from dataclasses import dataclass

LOSSES = ("bce", "hinge", "rpgan")
PENALTIES = ("exact", "finite_difference")
AUGMENTATIONS = ("none", "diffaugment", "roll")


@dataclass
class GanTraining:
    """Settings of a GAN's training. The defaults are the published balanced training.

    Attributes:
        steps: The number of iterations. In each one, discriminator and generator update as the balance allows.
        epochs: The number of passes over the songs, which replaces `steps`; None to use `steps`.
        batch_size: The number of clips per iteration, over all processes.
        fade_frames: The number of first frames of each clip that are replaced by those after them, in reverse order.
            Excerpts that fade in begin with silence, which a roll would move into the clip as a gap.
        generator_lr: The generator's learning rate of Adam (two time-scale update rule, Heusel et al. 2017).
        discriminator_lr: The discriminator's learning rate.
        betas: The decay rates of Adam's moments.
        lr_decay: The share of the steps, at the end, over which both learning rates fall linearly to 0.
        loss: "bce" (non-saturating, Goodfellow et al. 2014), "hinge" (Lim & Ye 2017) or "rpgan" (relativistic pairing,
            Huang et al. 2024).
        real_label: The target of real clips in "bce" (one-sided label smoothing, Salimans et al. 2016).
        r1_gamma: The weight of the zero-centred gradient penalty on real clips (Mescheder et al. 2018).
        r2_gamma: The weight of the same penalty on generated clips (Huang et al. 2024).
        gamma_decay: The share of both penalty weights that is left at the end of the run; they fall geometrically.
        penalty_every: The number of iterations between penalties, whose weight is multiplied by it (lazy
            regularisation, Karras et al. 2020).
        penalty: "exact" (double backward) or "finite_difference" (the squared change of the logits under small noise,
            Lin et al. 2025), which needs no second derivative.
        augmentation: "none", "diffaugment" (random roll, crop, masks and gain of the discriminator's input), or "roll",
            which is the same but for what leaves frames empty, the crop and the mask of frames.
        augmentation_probability: The probability of each augmentation of a clip.
        instance_noise: The standard deviation of the noise on the discriminator's input at the start; it falls linearly
            to 0 by the middle of the run (Sonderby et al. 2017).
        recogniser: The folder of the frozen recogniser for `cycle_weight`.
        cycle_weight: The weight of the squared error between the requested and the recognised emotion.
        perceptual_model: The folder of a frozen pretrained model for `perceptual_weight`; None for `recogniser`.
        perceptual_weight: The weight of the distance between statistics of its features on real and generated clips.
        gradient_norm: The norm to which each network's gradient is clipped; 0 for no clipping.
        balance: Whether to adapt how often each network updates, towards `accuracy_band`.
        accuracy_band: The lower and upper limit of the discriminator's accuracy that the balance aims at.
        balance_window: The number of iterations between adaptations of the balance.
        ema_decay: The decay of the exponential moving average of the generator's weights, which is what is saved.
        bfloat16: Whether to compute convolutions and products in bfloat16 (weights, losses, norms and optimizers stay
            in float32). It is never chosen automatically, so that a run is the same on every machine. It is faster on
            GPUs and on CPUs with AMX or AVX-512 BF16, and slower on other CPUs.
        compile: Whether to `torch.compile` both networks, on GPUs only.
        seed: The seed of initial weights, batches and noise.
        log_every: The number of iterations between lines of statistics.
        check_every: The number of iterations between red-flag checks.
        checkpoint_every: The number of iterations between checkpoints; 0 for only the last.

    Raises:
        ValueError: A choice is unknown, or a value is out of its range.
    """

    steps: int = 1000
    epochs: float | None = None
    batch_size: int = 24
    fade_frames: int = 0
    generator_lr: float = 2e-4
    discriminator_lr: float = 1e-4
    betas: tuple[float, float] = (0.5, 0.999)
    lr_decay: float = 0.0
    loss: str = "bce"
    real_label: float = 0.9
    r1_gamma: float = 0.0
    r2_gamma: float = 0.0
    gamma_decay: float = 1.0
    penalty_every: int = 4
    penalty: str = "exact"
    augmentation: str = "none"
    augmentation_probability: float = 1.0
    instance_noise: float = 0.1
    recogniser: str | None = None
    cycle_weight: float = 0.0
    perceptual_model: str | None = None
    perceptual_weight: float = 0.0
    gradient_norm: float = 1.0
    balance: bool = True
    accuracy_band: tuple[float, float] = (0.7, 0.8)
    balance_window: int = 10
    ema_decay: float = 0.999
    bfloat16: bool = False
    compile: bool = False
    seed: int = 0
    log_every: int = 10
    check_every: int = 250
    checkpoint_every: int = 250

    def __post_init__(self) -> None:
        for name, choices in (("loss", LOSSES), ("penalty", PENALTIES), ("augmentation", AUGMENTATIONS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"expected {name} to be one of {choices}, got {getattr(self, name)!r}")
        for name in ("r1_gamma", "r2_gamma", "cycle_weight", "perceptual_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"expected {name} of at least 0, got {getattr(self, name)}")
        for name in ("augmentation_probability", "lr_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"expected {name} in [0, 1], got {getattr(self, name)}")
        if not 0 < self.gamma_decay <= 1:
            raise ValueError(f"expected gamma_decay in (0, 1], got {self.gamma_decay}")
        if self.fade_frames < 0:
            raise ValueError(f"expected fade_frames of at least 0, got {self.fade_frames}")
        if self.penalty_every < 1:
            raise ValueError(f"expected penalty_every of at least 1, got {self.penalty_every}")
        if self.cycle_weight and self.recogniser is None:
            raise ValueError("expected the folder of a recogniser for cycle_weight, got None")
        if self.perceptual_weight and self.recogniser is None and self.perceptual_model is None:
            raise ValueError("expected a perceptual_model or a recogniser for perceptual_weight, got None")
