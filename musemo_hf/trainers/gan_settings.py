"""What a GAN's training is told."""

from dataclasses import dataclass


@dataclass
class GanTraining:
    """The published balanced training (PROTOCOL: presets and monitors).

    Attributes:
        steps: iterations; in each, discriminator and generator update as the balance allows.
        epochs: where given, `steps` is this many passes over the songs at hand.
        batch_size: over all processes.
        generator_lr, discriminator_lr, betas: Adam (two time-scale rule, Heusel et al. 2017).
        real_label: one-sided label smoothing (Salimans et al. 2016).
        instance_noise: deviation of the noise on both sides' input at the start, falling linearly to 0 over
            `instance_noise_share` of the steps (Sonderby et al. 2017).
        gradient_norm: each network's gradient is clipped to it.
        balance: adapt how often each network updates, towards `accuracy_band`.
        accuracy_band: discriminator accuracy that is aimed at.
        balance_window: iterations between adaptations.
        ema_decay: of the averaged generator, which is what is saved.
        seed: of initial weights, batches and noise.
        log_every, check_every, checkpoint_every: iterations between statistics, red-flag checks and checkpoints.
    """

    steps: int = 1000
    epochs: float | None = None
    batch_size: int = 24
    generator_lr: float = 2e-4
    discriminator_lr: float = 1e-4
    betas: tuple[float, float] = (0.5, 0.999)
    real_label: float = 0.9
    instance_noise: float = 0.1
    instance_noise_share: float = 0.5
    gradient_norm: float = 1.0
    balance: bool = True
    accuracy_band: tuple[float, float] = (0.7, 0.8)
    balance_window: int = 10
    ema_decay: float = 0.999
    seed: int = 0
    log_every: int = 10
    check_every: int = 250
    checkpoint_every: int = 250
