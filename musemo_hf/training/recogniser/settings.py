"""What a recogniser's training is told."""

from dataclasses import dataclass


@dataclass
class RecogniserTraining:
    """Training of the recogniser.

    Attributes:
        steps: optimizer updates, fixed beforehand: no test or validation label decides when to stop.
        epochs: where given, `steps` is this many passes over the songs at hand.
        batch_size: over all processes.
        lr, weight_decay: AdamW.
        warmup: share of the steps in which the rate rises; it falls on a cosine afterwards.
        gradient_norm: the gradient is clipped to it.
        layer_decay: each layer's rate is this share of the next one's, the head's being `lr`; 1 for none.
        augmentation: "none", "specaugment", "mixup" or "shift_gain", or several joined by "+", in that order.
        ema_decay: of the averaged weights that predict; 0 for none.
        test_crops: copies of a clip, rolled in time, whose predictions are averaged; 1 for the clip as it is.
        pretraining_steps: updates of masked-spectrogram pretraining on the clips before, without their labels; 0 for
            none.
        pretraining_lr: its rate; it shares batch size, warm-up, gradient norm, seed and checkpoints.
        pretraining_mask: share of the patches that it hides.
        pretraining_block: side in patches of the blocks that it hides.
        bfloat16: mixed precision while it is trained, on whatever device; faster on a GPU, and on a CPU with AMX or
            AVX-512 BF16.
        seed: of initial weights, batches and augmentation.
        log_every, checkpoint_every: updates between statistics and checkpoints (0: none but the last).
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
    test_crops: int = 1
    pretraining_steps: int = 0
    pretraining_lr: float = 1e-3
    pretraining_mask: float = 0.75
    pretraining_block: int = 2
    bfloat16: bool = False
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 250
