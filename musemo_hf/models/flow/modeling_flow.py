"""Emotion -> log-mel: flow matching (Lipman et al. 2023; rectified flow, Liu et al. 2023) on latents of patches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral  # numpy's integers too
from typing import Any

import numpy as np
import torch
from diffusers import ConfigMixin, FlowMatchEulerDiscreteScheduler, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from .emotion import check_emotion
from .modulation_transform import ModulationTransform
from .patch_transform import PatchTransform
from .principal_transform import PrincipalTransform
from .profile_transform import ProfileTransform
from .velocity_network import VelocityNetwork


class MusemoFlowGenerator(ModelMixin, ConfigMixin):
    """Noise and an emotion -> a log-mel spectrogram, in any number of steps.

    A latent at time t lies between data (t = 0) and standard normal noise (t = 1), and the network learns the velocity
    noise - data; `generate` follows it from noise to data. What a Gaussian of the latents' deviations would need is
    built in (the preconditioning of Karras et al. 2022, table 1, worked out for this path), so that before any training
    the flow makes Gaussian noise with the covariance of music over bands and time (`ModulationTransform`), whose level
    and liveliness differ from clip to clip as those of music do (`ProfileTransform`), and the network learns only what
    is different.

    Args:
        n_mels: mel bands, a multiple of the patch's.
        n_frames: frames of a spectrogram, any number.
        patch_size: (mels, frames) of a patch, which is a token of the transformer.
        n_components: principal components of a patch that are generated; see `PatchTransform`.
        n_bands: groups of mel bands in which every clip has gains of its own, see `ProfileTransform`; 0 for no gains,
            neither there nor in `ModulationTransform`.
        n_pulse_bands: groups of mel bands in each of which a clip's pulse stands out by so much, see `Pulse`; 0 for no
            pulse among the latents.
        whitening: of the latents, in [0, 1]; see `ModulationTransform`.
        detail: draw the remaining components from a Gaussian, which the emotion has no part in; False leaves them out.
        width, depth, n_heads, mlp_ratio: of the transformer; `n_heads` divides `width`, `width` by 4.
        num_inference_steps, guidance_scale: of `generate`, where it is told nothing else.

    Raises:
        ValueError: a size that does not divide, or a value out of its range.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        n_mels: int = 128,
        n_frames: int = 1292,
        patch_size: tuple[int, int] = (128, 8),
        n_components: int = 128,
        n_bands: int = 16,
        n_pulse_bands: int = 0,
        whitening: float = 0.5,
        detail: bool = True,
        width: int = 192,
        depth: int = 4,
        n_heads: int = 3,
        mlp_ratio: float = 4.0,
        num_inference_steps: int = 20,
        guidance_scale: float = 1.5,
    ) -> None:
        super().__init__()
        mels, frames = patch_size
        if mels < 1 or frames < 1 or n_mels % mels or n_frames < 1:
            raise ValueError(f"expected patches whose mels divide {n_mels}, and frames, got {patch_size}, {n_frames}")
        if not (1 <= n_components <= mels * frames and 0 <= whitening <= 1):
            raise ValueError(
                f"expected 1 to {mels * frames} components and whitening in [0, 1], got {n_components}, {whitening}"
            )
        for groups in (n_bands, n_pulse_bands):
            if groups < 0 or (groups and n_mels % groups):
                raise ValueError(f"expected groups of bands that divide {n_mels}, or 0, got {groups}")
        if depth < 1 or width % n_heads or width % 4:
            raise ValueError(f"expected a depth, and a width that {n_heads} and 4 divide, got {depth} and {width}")
        self.profile = ProfileTransform(n_mels, n_frames, n_bands, n_pulse_bands)
        self.patches = PatchTransform(n_mels, n_frames, (mels, frames), n_components)
        grid = (self.patches.rows, self.patches.columns)
        self.modulation = ModulationTransform(*grid, n_components, whitening, clip_gains=n_bands > 0)
        self.principal = PrincipalTransform(self.profile.size + self.modulation.gains.size, whitening)
        self.network = VelocityNetwork(self.principal.size, grid, n_components, width, depth, n_heads, mlp_ratio)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **options: Any) -> Any:
        """As of diffusers, save that a checkpoint is whole: what was fitted to songs cannot be initialised anew.

        Raises:
            ValueError: the checkpoint lacks values, such as one of an older version.
        """
        wants_info = options.pop("output_loading_info", False)
        model, info = super().from_pretrained(pretrained_model_name_or_path, output_loading_info=True, **options)
        if missing := sorted(info["missing_keys"]):
            raise ValueError(
                f"{pretrained_model_name_or_path}: expected all values of a flow, got none of {', '.join(missing)}; "
                "was it made by another version of musemo_hf?"
            )
        return (model, info) if wants_info else model

    def fit(self, spectrogram: Tensor, emotion: Tensor, seed: int = 0) -> None:
        """Find what is found in closed form: the latents, and the deviations of the detail.

        Args:
            spectrogram: normalised log-mels `(N, 1, n_mels, n_frames)` of the training clips, and of no others.
            emotion: theirs, `(N, 2)`.
            seed: of the choice of patches, where there are very many.

        Raises:
            ValueError: spectrograms of another shape.
        """
        self.profile.fit(spectrogram)
        profile, texture = self.profile.encode(spectrogram)
        self.patches.fit(texture, seed)
        components = self.patches.encode(texture)
        self.modulation.fit(components)
        self.principal.fit(torch.cat([profile, self.modulation.encode(components)[0]], dim=1), emotion)

    def encode(self, spectrogram: Tensor, emotion: Tensor) -> Tensor:
        """Normalised log-mels `(B, 1, n_mels, n_frames)` of emotions `(B, 2)` -> latents `(B, n_latents)`.

        The latents of the profile come first, then those of the texture.
        """
        profile, texture = self.profile.encode(spectrogram)
        gains, latents = self.modulation.encode(self.patches.encode(texture))
        principal = self.principal.encode(torch.cat([profile, gains], dim=1), emotion)
        return torch.cat([principal, latents.flatten(1)], dim=1)

    def encode_texture(self, texture: Tensor) -> Tensor:
        """Textures of `ProfileTransform` `(B, 1, n_mels, n_frames)` -> their latents `(B, columns, width)`."""
        return self.modulation.encode(self.patches.encode(texture))[1]

    def decode(self, latents: Tensor, emotion: Tensor, detail: Tensor | None = None, strength: float = 1.0) -> Tensor:
        """The inverse of `encode`, up to the detail: see `PatchTransform.decode`. Not clamped.

        Args:
            latents: `(B, n_latents)`.
            emotion: `(B, 2)`.
            detail: see `PatchTransform.decode`.
            strength: from 0, which leaves out what the emotion tells by itself, to 1; see `PrincipalTransform.decode`.
        """
        principal, texture = self.split(latents)
        vectors = self.principal.decode(principal, emotion, strength)
        profile, gains = vectors.split([self.profile.size, self.modulation.gains.size], dim=1)
        return self.profile.decode(profile, self.patches.decode(self.modulation.decode(gains, texture), detail))

    def split(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Latents `(B, n_latents)` -> the profile's `(B, size)` and the texture's `(B, columns, width)`."""
        profile, texture = latents.split([self.principal.size, self.n_latents - self.principal.size], dim=1)
        return profile, texture.unflatten(1, (self.modulation.columns, self.modulation.width))

    @property
    def n_latents(self) -> int:
        """Of a spectrogram."""
        return self.principal.size + self.modulation.columns * self.modulation.width

    @property
    def latent_deviation(self) -> Tensor:
        """Deviations of the latents, `(n_latents,)`."""
        return torch.cat([self.principal.latent_deviation, self.modulation.latent_deviation.flatten()])

    def forward(self, latents: Tensor, time: Tensor, emotion: Tensor, dropped: Tensor | None = None) -> Tensor:
        """The velocity noise - data, with gradient.

        For data of deviation d, the best guess that knows only the latent x at t is
        (t - (1 - t) d^2) / ((1 - t)^2 d^2 + t^2) x, and its error has the deviation d / sqrt((1 - t)^2 d^2 + t^2). The
        network adds to the guess in units of that error, and sees x in units of its own deviation, patch by patch.

        Args:
            latents: as of `encode`, at `time`.
            time: `(B,)`, from 0 (data) to 1 (noise).
            emotion: `(B, 2)` (valence, arousal) in [-1, 1].
            dropped: bool `(B,)`, True where the emotion is left out; None for nowhere.
        """
        deviation, t = self.latent_deviation, time[:, None]
        spread = ((1 - t) * deviation).square() + t.square()
        guess = (t - (1 - t) * deviation.square()) / spread * latents
        root = spread.sqrt()
        profile, texture = self.split(latents / root)
        patches = self.modulation.to_patches(texture)
        profile, rest = self.network(profile, patches.flatten(1, 2), time, emotion, dropped)
        texture = self.modulation.to_coefficients(rest.view_as(patches))
        return guess + deviation / root * torch.cat([profile, texture.flatten(1)], dim=1)

    @property
    def noise_dim(self) -> int:
        """Length of the noise vector of one spectrogram: its latents', and the detail's behind it."""
        shape = self._detail_shape
        return self.n_latents + shape[0] * shape[1] * shape[2]

    @property
    def _detail_shape(self) -> tuple[int, int, int]:
        n_detail = self.patches.n_detail if self.config.detail else 0
        return self.patches.rows, self.patches.columns, n_detail

    def sample_noise(self, n_samples: int, seed: int | Sequence[int] | None = None) -> Tensor:
        """Standard normal noise `(n_samples, noise_dim)` on the CPU, one generator a sample.

        Args:
            n_samples: how many.
            seed: an int gives sample i the seed `seed + i`; a list gives each its own; None draws fresh seeds.

        Raises:
            ValueError: a list of another length.
        """
        if seed is None:
            seed = torch.randint(2**31, (n_samples,)).tolist()
        seeds = [int(seed) + i for i in range(n_samples)] if isinstance(seed, Integral) else list(seed)  # type: ignore[arg-type]
        if len(seeds) != n_samples:
            raise ValueError(f"expected one seed, or {n_samples} of them, got {len(seeds)}")
        dim = self.noise_dim
        return torch.stack([torch.randn(dim, generator=torch.Generator().manual_seed(int(s))) for s in seeds])

    @torch.no_grad()
    def generate(
        self,
        emotion: Tensor | Sequence,
        seed: int | Sequence[int] | None = None,
        noise: Tensor | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
    ) -> Tensor:
        """Generate without gradient, in eval mode; the caller's mode is restored.

        Args:
            emotion: `(B, 2)` (valence, arousal) in [-1, 1].
            seed: see `sample_noise`. Sample i is the same in any batch and on any device.
            noise: `(B, noise_dim)` instead of a seed.
            num_inference_steps: Euler steps, at least 1; one step gives about the mean of all music of that emotion.
            guidance_scale: at least 0; 1 follows the emotion as it was learnt, more exaggerates it (Ho & Salimans 2022)
                at twice the time, 0 leaves it out.

        Returns:
            Normalised log-mel `(B, 1, n_mels, n_frames)` in [-1, 1].

        Raises:
            ValueError: an emotion that `check_emotion` refuses, noise of another shape, both seed and noise, or steps
                or a guidance scale out of their range.
        """
        emotion = check_emotion(emotion)
        steps = self.config.num_inference_steps if num_inference_steps is None else num_inference_steps
        guidance = self.config.guidance_scale if guidance_scale is None else guidance_scale
        if not (isinstance(steps, Integral) and int(steps) >= 1 and 0 <= guidance < float("inf")):
            raise ValueError(f"expected at least 1 step and a guidance scale from 0 on, got {steps} and {guidance}")
        if noise is None:
            noise = self.sample_noise(len(emotion), seed)
        elif seed is not None:
            raise ValueError("expected seed or noise, got both")
        if tuple(noise.shape) != (len(emotion), self.noise_dim):
            raise ValueError(f"expected noise of shape ({len(emotion)}, {self.noise_dim}), got {tuple(noise.shape)}")
        emotion, noise = emotion.to(self.device, self.dtype), noise.to(self.device, self.dtype)
        with self._evaluating():
            latents = self._follow(noise[:, : self.n_latents], emotion, int(steps), float(guidance))
            detail = noise[:, self.n_latents :].unflatten(1, self._detail_shape) if self.config.detail else None
            # guidance exaggerates what the network learnt; what is known in closed form is no more than it is
            return self.decode(latents, emotion, detail, strength=min(float(guidance), 1.0)).clamp(-1, 1)

    def _follow(self, latents: Tensor, emotion: Tensor, steps: int, guidance: float) -> Tensor:
        """From noise to data along the velocity, by diffusers' Euler scheduler."""
        scheduler = FlowMatchEulerDiscreteScheduler()
        # given, since by default the last step would be one of a thousandth
        scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), device=latents.device)
        for index, timestep in enumerate(scheduler.timesteps):
            velocity = self._guided(latents, scheduler.sigmas[index].expand(len(latents)), emotion, guidance)
            latents = scheduler.step(velocity, timestep, latents).prev_sample
        return latents

    def _guided(self, latents: Tensor, time: Tensor, emotion: Tensor, guidance: float) -> Tensor:
        if guidance == 1:
            return self(latents, time, emotion)
        twice = [value.repeat(2, *[1] * (value.ndim - 1)) for value in (latents, time, emotion)]
        dropped = torch.arange(2 * len(latents), device=latents.device) >= len(latents)
        conditional, unconditional = self(*twice, dropped=dropped).chunk(2)
        return torch.lerp(unconditional, conditional, guidance)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        was_training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(was_training)
