"""What a GAN's training is told."""

from dataclasses import dataclass

LOSSES = ("bce", "hinge", "rpgan")
PENALTIES = ("exact", "finite_difference")


@dataclass
class GanTraining:
    """The published balanced training (PROTOCOL: presets and monitors), and what may stand in its place.

    Attributes:
        steps: iterations; in each, discriminator and generator update as the balance allows.
        epochs: where given, `steps` is this many passes over the songs at hand.
        batch_size: over all processes.
        generator_lr, discriminator_lr, betas: Adam (two time-scale rule, Heusel et al. 2017).
        lr_decay: share of the steps, at the end, over which both rates fall linearly to 0; 0 for none.
        loss: "bce" (Goodfellow et al. 2014, non-saturating), "hinge" (Lim & Ye 2017), or "rpgan" (relativistic
            pairing, Huang et al. 2024).
        real_label: one-sided label smoothing of "bce" (Salimans et al. 2016).
        r1_gamma, r2_gamma: weights of the zero-centred gradient penalties on real and on generated clips (Mescheder
            et al. 2018; Huang et al. 2024); 0 for none.
        gamma_decay: share of both weights that is left at the end of the run; they fall geometrically.
        penalty_every: iterations between penalties, whose weight is multiplied by it (Karras et al. 2020).
        penalty: "exact", by double backward; or "finite_difference", the squared change of the logits under a
            little noise (Lin et al. 2025), which needs no second derivative.
        augmentation: "none", or "diffaugment": random roll, crop, masks and gain of all that the discriminator sees.
        augmentation_probability: that a clip undergoes each of them.
        instance_noise: deviation of the noise on both sides' input at the start, falling linearly to 0 over
            `instance_noise_share` of the steps (Sonderby et al. 2017).
        recogniser: folder of a recogniser that stays as it is, for `cycle_weight`.
        cycle_weight: of the squared error between the emotion asked for and the one recognised.
        perceptual_model: folder of a pretrained model of spectrograms, for `perceptual_weight`; the recogniser where
            None.
        perceptual_weight: of the distance between statistics of its inner features on real and on generated clips.
        feature_matching_weight: the same with the discriminator's features (Salimans et al. 2016).
        gradient_norm: each network's gradient is clipped to it; 0 for no clipping.
        balance: adapt how often each network updates, towards `accuracy_band`.
        accuracy_band: discriminator accuracy that is aimed at.
        balance_window: iterations between adaptations.
        ema_decay: of the averaged generator, which is what is saved.
        bfloat16: mixed precision, on whatever device: convolutions and products in bfloat16; weights, losses, norms,
            averages and optimizers in float32. Faster on a GPU and on a CPU with AMX or AVX-512 BF16, slower on other
            CPUs. It is never chosen for a machine, so that a run is the same run everywhere.
        compile: `torch.compile` both networks, on a GPU only.
        seed: of initial weights, batches and noise.
        log_every, check_every, checkpoint_every: iterations between statistics, red-flag checks and checkpoints
            (0: none but the last).

    Raises:
        ValueError: an unknown choice, or a value out of range.
    """

    steps: int = 1000
    epochs: float | None = None
    batch_size: int = 24
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
    instance_noise_share: float = 0.5
    recogniser: str | None = None
    cycle_weight: float = 0.0
    perceptual_model: str | None = None
    perceptual_weight: float = 0.0
    feature_matching_weight: float = 0.0
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
        for name, choices in (("loss", LOSSES), ("penalty", PENALTIES), ("augmentation", ("none", "diffaugment"))):
            if getattr(self, name) not in choices:
                raise ValueError(f"expected {name} to be one of {choices}, got {getattr(self, name)!r}")
        for name in ("r1_gamma", "r2_gamma", "cycle_weight", "perceptual_weight", "feature_matching_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"expected {name} of at least 0, got {getattr(self, name)}")
        if not 0 <= self.augmentation_probability <= 1:
            raise ValueError(f"expected augmentation_probability in [0, 1], got {self.augmentation_probability}")
        if not 0 <= self.lr_decay <= 1:
            raise ValueError(f"expected lr_decay in [0, 1], got {self.lr_decay}")
        if not 0 < self.gamma_decay <= 1:
            raise ValueError(f"expected gamma_decay in (0, 1], got {self.gamma_decay}")
        if self.penalty_every < 1:
            raise ValueError(f"expected penalty_every of at least 1, got {self.penalty_every}")
        if self.cycle_weight and self.recogniser is None:
            raise ValueError("expected the folder of a recogniser for cycle_weight, got None")
        if self.perceptual_weight and self.recogniser is None and self.perceptual_model is None:
            raise ValueError("expected a perceptual_model or a recogniser for perceptual_weight, got None")
