"""Settings of a flow's training."""

from dataclasses import dataclass


@dataclass
class FlowTraining:
    """Settings of flow matching on latents.

    Attributes:
        steps: The number of optimizer updates.
        epochs: The number of passes over the songs, which replaces `steps`; None to use `steps`.
        seconds: The number of seconds of updates after which training ends, however many of `steps` are done; None for
            no limit. The learning rate falls with the seconds, and a resumed run continues the count. The result
            depends on the speed of the machine.
        batch_size: The number of clips per update, over all processes.
        lr: The highest learning rate of AdamW. It falls on a cosine over the run.
        weight_decay: The weight decay of AdamW.
        warmup_steps: The number of updates in which the learning rate rises.
        gradient_norm: The norm to which the gradient is clipped.
        roll: Whether to roll the texture of each clip in time by a random amount, under its own profile. This needs
            many clips.
        profile_mix: The share of another clip's profile that is mixed into each clip's, in [0, 1), against memorising
            profiles. The latents are centred and the squares of both shares add to 1, so mean and covariance stay (a
            smoothed bootstrap, Silverman 1986, section 6.4, with the data as its kernel).
        ema_decay: The decay of the exponential moving average of the weights, which is what is saved.
        bfloat16: Whether to compute products in bfloat16. It is faster on GPUs, and on CPUs with AMX or AVX-512 BF16.
        seed: The seed of initial weights, batches, times and noise.
        log_every: The number of updates between lines of statistics.
        checkpoint_every: The number of updates between checkpoints; 0 for only the last.

    Raises:
        ValueError: `profile_mix` is out of its range.
    """

    steps: int = 4000
    epochs: float | None = None
    seconds: float | None = None
    batch_size: int = 16
    lr: float = 1e-3
    weight_decay: float = 0.01
    warmup_steps: int = 50
    gradient_norm: float = 1.0
    roll: bool = False
    profile_mix: float = 0.0
    ema_decay: float = 0.995
    bfloat16: bool = False
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        if not 0 <= self.profile_mix < 1:
            raise ValueError(f"expected profile_mix in [0, 1), got {self.profile_mix}")
