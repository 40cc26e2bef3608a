"""What a flow's training is told."""

from dataclasses import dataclass


@dataclass
class FlowTraining:
    """Flow matching on latents.

    Attributes:
        steps: optimizer updates.
        epochs: where given, `steps` is this many passes over the songs at hand.
        seconds: where given, training ends after so many seconds of updates, however many of `steps` are done, and the
            rate falls with the seconds; a resumed run goes on counting. What is reached depends on the machine.
        batch_size: over all processes.
        lr, betas, weight_decay: AdamW.
        warmup_steps: updates in which the rate rises; it falls on a cosine over the whole run.
        gradient_norm: the gradient is clipped to it.
        time_mean, time_deviation: of the logit of the times that are drawn (Esser et al. 2024, section 3.1); 0 is the
            middle of the way, and larger is nearer to noise.
        profile_weight: of the mean square error of the profile's latents, beside that of the texture's.
        roll: roll the texture of each clip of a batch in time by any amount, under its own profile. Needs many clips.
        profile_mix: how much of another clip's profile is mixed into each clip's, in [0, 1): the latents are centred
            and the squares of both parts add to 1, so that mean and covariance stay (a smoothed bootstrap, Silverman
            1986, section 6.4, whose kernel is the data's own), against profiles that are learnt by heart.
        dropped_emotion: share of samples without their emotion, for classifier-free guidance.
        ema_decay: of the averaged weights, which are what is saved.
        bfloat16: mixed precision, on whatever device; faster on a GPU, and on a CPU with AMX or AVX-512 BF16.
        seed: of initial weights, batches, times and noise.
        log_every, checkpoint_every: updates between statistics and checkpoints (0: none but the last).

    Raises:
        ValueError: `profile_mix` out of its range.
    """

    steps: int = 4000
    epochs: float | None = None
    seconds: float | None = None
    batch_size: int = 16
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    warmup_steps: int = 50
    gradient_norm: float = 1.0
    time_mean: float = 0.0
    time_deviation: float = 1.0
    profile_weight: float = 0.2
    roll: bool = False
    profile_mix: float = 0.0
    dropped_emotion: float = 0.1
    ema_decay: float = 0.995
    bfloat16: bool = False
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        if not 0 <= self.profile_mix < 1:
            raise ValueError(f"expected profile_mix in [0, 1), got {self.profile_mix}")
