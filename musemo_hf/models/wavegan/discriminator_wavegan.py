"""The discriminator of WaveGAN (Donahue, McAuley & Puckette 2019, arXiv 1802.04208), conditional on emotion."""

from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from .modeling_wavegan import KERNEL, STAGES, STRIDE
from .verification import VerifiedModelMixin


class MusemoWaveganDiscriminator(VerifiedModelMixin, ModelMixin, ConfigMixin):
    """Judges waveforms with an emotion, by six convolutions of stride 4 and kernel 25 and a linear read-out.

    Between the convolutions each clip is shifted by a few samples at random (phase shuffle, section 3.3), so that the
    phase of the transposed convolutions' artefacts does not give a generated clip away. The emotion is compared with
    the features by their product (Miyato & Koyama 2018, equation 3). The paper reads out all positions; the mean fits
    any length.

    Args:
        channels: The number of channels of the first stage. Each stage after it has twice those of the one before.
        phase_shuffle: The largest shift in samples; 0 for none.

    Raises:
        ValueError: A size is out of its range.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(self, channels: int = 8, phase_shuffle: int = 2) -> None:
        super().__init__()
        if channels < 1 or phase_shuffle < 0:
            raise ValueError(f"expected channels and a shift from 0 on, got {channels} and {phase_shuffle}")
        widths = [1, *(channels * 2**stage for stage in range(STAGES))]
        self.stages = nn.ModuleList(
            nn.Conv1d(before, after, KERNEL, STRIDE, padding=KERNEL // 2) for before, after in pairwise(widths)
        )
        self.read_out = nn.Linear(widths[-1], 1)
        self.project_emotion = nn.Linear(2, widths[-1])

    def forward(self, audio: Tensor, emotion: Tensor) -> Tensor:
        """Return the logits `(B,)`, positive for clips that are judged to be real.

        Args:
            audio: The mono samples `(B, samples)` in [-1, 1] at 22,050 Hz.
            emotion: The emotions `(B, 2)` (valence, arousal) in [-1, 1].

        Raises:
            ValueError: The samples have another rank.
        """
        if audio.ndim != 2:
            raise ValueError(f"expected audio (B, samples), got {tuple(audio.shape)}")
        hidden = audio[:, None]
        for index, stage in enumerate(self.stages):
            if index and self.training:
                hidden = shuffle_phase(hidden, self.config.phase_shuffle)
            hidden = functional.leaky_relu(stage(hidden), 0.2)
        pooled = hidden.float().mean(dim=-1)
        return self.read_out(pooled)[:, 0] + (self.project_emotion(emotion) * pooled).sum(dim=1)


def shuffle_phase(hidden: Tensor, most: int) -> Tensor:
    """Shift each clip by -most to most positions at random, with reflection at the ends.

    Args:
        hidden: The activations `(B, C, L)`.
        most: The largest shift, less than L; 0 for none.
    """
    if most == 0:
        return hidden
    length = hidden.shape[-1]
    padded = functional.pad(hidden, (most, most), mode="reflect")
    starts = torch.randint(2 * most + 1, (len(hidden),)).tolist()
    return torch.stack([clip[:, start : start + length] for clip, start in zip(padded, starts, strict=True)])
