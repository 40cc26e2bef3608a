"""Settings of a recogniser's training."""

from dataclasses import dataclass


@dataclass
class RecogniserTraining:
    """Settings of a recogniser's training.

    Attributes:
        steps: The number of optimizer updates. It is fixed in advance, so that no label decides when to stop.
        epochs: The number of passes over the songs, which replaces `steps`; None to use `steps`.
        batch_size: The number of clips per update, over all processes.
        lr: The highest learning rate of AdamW. It falls on a cosine after the warm-up.
        weight_decay: The weight decay of AdamW.
        warmup: The share of the steps in which the learning rate rises.
        gradient_norm: The norm to which the gradient is clipped.
        layer_decay: The ratio of each layer's learning rate to the next one's, from the head's `lr` down; 1 for equal
            rates.
        augmentation: "none", "specaugment", "mixup" or "shift_gain", or several joined by "+", in that order.
        ema_decay: The decay of the exponential moving average of the weights, which predicts; 0 for no average.
        pretraining_steps: The number of updates of masked-spectrogram pretraining on the same clips without labels,
            before the training; 0 for none.
        pretraining_lr: The learning rate of the pretraining, which shares batch size, warm-up, gradient norm, seed and
            checkpoints with the training.
        bfloat16: Whether to compute products in bfloat16 while training. It is faster on GPUs, and on CPUs with AMX or
            AVX-512 BF16.
        seed: The seed of initial weights, batches and augmentation.
        log_every: The number of updates between lines of statistics.
        checkpoint_every: The number of updates between checkpoints; 0 for only the last.
    """

    steps: int = 500
    epochs: float | None = None
    batch_size: int = 32
    lr: float = 5e-4
    weight_decay: float = 0.05
    warmup: float = 0.1
    gradient_norm: float = 1.0
    layer_decay: float = 1.0
    augmentation: str = "none"
    ema_decay: float = 0.99
    pretraining_steps: int = 0
    pretraining_lr: float = 1e-3
    bfloat16: bool = False
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 250
