"""The generator of WaveGAN (Donahue, McAuley & Puckette 2019, arXiv 1802.04208), conditional on emotion."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from .generation import SeededGenerationMixin, evaluating
from .mel import MelSettings, log_mel, normalise
from .verification import VerifiedModelMixin

KERNEL, STRIDE, STAGES = 25, 4, 6  # of the convolutions, table 4 of the paper with one stage more
EMOTION_DIM = 16  # of the embedding of the emotion
FIRST_LEVEL = 0.1  # the root mean square of the first waveforms


class MusemoWaveganGenerator(VerifiedModelMixin, SeededGenerationMixin, ModelMixin, ConfigMixin):
    """Turns noise and an emotion into a waveform, without a spectrogram in between.

    The noise is concatenated to an embedding of (valence, arousal) and projected to a short sequence, which six
    transposed convolutions of stride 4 and kernel 25 lengthen to the waveform. It passes through a tanh and is cropped
    on the right. `generate` returns the log-mels of the waveforms, as all generators do, and `generate_audio` the
    waveforms.

    Args:
        n_frames: The number of frames of the log-mel of a clip; 431 are ten seconds.
        channels: The number of channels of the last hidden stage. Each stage before it has twice those of the next.
        noise_dim: The number of noise values.

    Raises:
        ValueError: A size is not positive.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(self, n_frames: int = 431, channels: int = 8, noise_dim: int = 100) -> None:
        super().__init__()
        if min(n_frames, channels, noise_dim) < 1:
            raise ValueError(
                f"expected n_frames, channels and noise_dim of at least 1, got {n_frames}, {channels} and {noise_dim}"
            )
        self.n_samples = MelSettings().n_samples(n_frames)
        self.base_length = -(-self.n_samples // STRIDE**STAGES)
        widths = [channels * 2**stage for stage in reversed(range(STAGES))]
        self.embed_emotion = nn.Linear(2, EMOTION_DIM)
        self.project = nn.Linear(noise_dim + EMOTION_DIM, widths[0] * self.base_length)
        padding = (KERNEL - STRIDE + 1) // 2  # with one more sample each stage is four times as long exactly
        stages = [
            nn.ConvTranspose1d(before, after, KERNEL, STRIDE, padding, output_padding=1)
            for before, after in pairwise([*widths, 1])
        ]
        # the variance stays through the stages (He et al. 2015), of which a sample sees a quarter of the kernel; the
        # last begins at the level of music
        nn.init.normal_(self.project.weight, std=self.project.in_features**-0.5)
        for stage in stages:
            level = FIRST_LEVEL if stage is stages[-1] else 1.0
            nn.init.normal_(stage.weight, std=level * (2 * STRIDE / (stage.in_channels * KERNEL)) ** 0.5)
            nn.init.constant_(stage.bias, 0.0)  # type: ignore[arg-type]
        self.stages = nn.ModuleList(stages)

    @property
    def noise_dim(self) -> int:  # type: ignore[override]
        """The length of the noise vector of one clip."""
        return self.config.noise_dim

    def forward(self, emotion: Tensor, noise: Tensor) -> Tensor:
        """Generate waveforms, with gradient.

        Args:
            emotion: The emotions `(B, 2)` (valence, arousal) in [-1, 1].
            noise: Standard normal noise `(B, noise_dim)`.

        Returns:
            The mono samples `(B, n_samples)` in [-1, 1] at 22,050 Hz.
        """
        code = torch.cat([noise, self.embed_emotion(emotion)], dim=1)
        hidden = self.project(code).unflatten(1, (-1, self.base_length))
        for stage in self.stages:
            hidden = stage(functional.relu(hidden))
        return torch.tanh(hidden[:, 0, : self.n_samples].float())

    def generate_audio(
        self, emotion: Tensor | Sequence, seed: int | Sequence[int] | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """Generate waveforms without gradient, in evaluation mode; the mode is restored afterwards.

        Args:
            emotion: The emotions `(B, 2)` (valence, arousal) in [-1, 1].
            seed: The seed or seeds of the noise, see `sample_noise`. Sample i is the same in any batch.
            noise: The noise `(B, noise_dim)`, instead of a seed.

        Returns:
            The mono samples `(B, n_samples)` in [-1, 1] at 22,050 Hz, float32.

        Raises:
            ValueError: See `prepare_inputs`.
        """
        emotion, noise = self.prepare_inputs(emotion, seed, noise)
        with evaluating(self):
            return self(emotion, noise)

    def generate(
        self, emotion: Tensor | Sequence, seed: int | Sequence[int] | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """Generate waveforms as `generate_audio` does, and return their normalised log-mels.

        Returns:
            The normalised log-mels `(B, 1, 128, n_frames)` in [-1, 1].

        Raises:
            ValueError: See `prepare_inputs`.
        """
        audio = self.generate_audio(emotion, seed, noise)
        return normalise(log_mel(audio))[:, None, :, : self.config.n_frames]
