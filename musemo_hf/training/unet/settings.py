"""Settings of a U-Net generator's training."""

from dataclasses import dataclass


@dataclass
class UNetTraining:
    """Settings of flow matching on crops of log-mels.

    Attributes:
        steps: The number of optimizer updates.
        epochs: The number of passes over the songs, which replaces `steps`; None to use `steps`.
        seconds: The number of seconds of updates after which training ends, however many of `steps` are done; None for
            no limit. The learning rate falls with the seconds, and a resumed run continues the count. The result
            depends on the speed of the machine.
        batch_size: The number of crops per update, over all processes.
        crop_frames: The number of frames of a crop, a multiple of the network's `frame_multiple`.
        whole_share: The share of updates, in [0, 1], that are made on whole clips and not on crops, so that the network
            learns what stays the same over a clip. Such an update has fewer clips and about as many frames.
        lr: The highest learning rate of AdamW. It falls on a cosine over the run.
        weight_decay: The weight decay of AdamW.
        warmup_steps: The number of updates in which the learning rate rises.
        gradient_norm: The norm to which the gradient is clipped.
        time_mean: The mean of the logit of the times, which are logit-normal (Esser et al. 2024, section 3.1). The
            level of a clip and the balance of its bands are decided at times near 1, since the noise of many cells
            averages out; the larger the clips, the higher the mean has to be (Hoogeboom et al. 2023).
        time_deviation: The deviation of the logit of the times.
        augmented_share: The share of crops, in [0, 1], to which each augmentation is applied. The generator has to name
            the augmentations in its `augmentations`: "gain" and "band_shift", see `augment`.
        condition_share: The share of crops, in [0, 1], of which the network is given more than the emotion: each of its
            `conditions` for half of these crops, so that it can be given with or without the others.
        left_out_descriptors: The share of crops, in [0, 1], of which the network is given the emotion without the
            descriptors of the clip, if it has any.
        left_out_beats: The share of crops, in [0, 1], of which the network is not told the beat, if it takes one.
        ema_decay: The decay of the exponential moving average of the weights, which is what is saved.
        bfloat16: Whether to compute products in bfloat16. It is faster on GPUs, and on CPUs with AMX or AVX-512 BF16.
        initial: The folder of a trained U-Net generator whose weights the training begins with, such as
            "runs/unet_10s/generator"; None for new weights. See `take_weights`.
        seed: The seed of initial weights, batches, crops, times and noise.
        log_every: The number of updates between lines of statistics.
        checkpoint_every: The number of updates between checkpoints; 0 for only the last.
        pictures: The number of pictures of samples that are drawn during a run, evenly; 0 for none.

    Raises:
        ValueError: A share is out of its range.
    """

    steps: int = 12000
    epochs: float | None = None
    seconds: float | None = None
    batch_size: int = 8
    crop_frames: int = 128
    whole_share: float = 0.25
    lr: float = 6e-4
    weight_decay: float = 0.01
    warmup_steps: int = 200
    gradient_norm: float = 1.0
    time_mean: float = 1.0
    time_deviation: float = 1.8
    augmented_share: float = 0.25
    condition_share: float = 0.5
    left_out_descriptors: float = 0.1
    left_out_beats: float = 0.15
    ema_decay: float = 0.999
    bfloat16: bool = False
    initial: str | None = None
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 250
    pictures: int = 10

    def __post_init__(self) -> None:
        for name in ("whole_share", "augmented_share", "condition_share", "left_out_descriptors", "left_out_beats"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"expected {name} in [0, 1], got {getattr(self, name)}")
        if self.crop_frames < 1 or self.pictures < 0:
            raise ValueError(f"expected frames, and pictures from 0 on, got {self.crop_frames} and {self.pictures}")
