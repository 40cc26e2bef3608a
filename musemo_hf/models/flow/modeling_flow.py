"""A generator by flow matching (Lipman et al. 2023; rectified flow, Liu et al. 2023) on latents of patches."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral  # includes the integers of numpy
from typing import Any

import numpy as np
import torch
from diffusers import ConfigMixin, FlowMatchEulerDiscreteScheduler, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.utils import BaseOutput
from torch import Tensor

from .generation import SeededGenerationMixin, check_emotion, evaluating, is_number
from .modulation_transform import ModulationTransform
from .patch_transform import PatchTransform
from .principal_transform import PrincipalTransform
from .profile_transform import ProfileTransform
from .velocity_network import VelocityNetwork
from .verification import VerifiedModelMixin

logger = logging.getLogger(__name__)

_REMOVED = {"detail": True, "mlp_ratio": 4.0}  # settings of earlier versions, and the values that are left


@dataclass
class MusemoVelocityOutput(BaseOutput):
    """Contains the prediction of the flow's network.

    Attributes:
        velocity: The velocity noise - data `(B, n_latents)`.
    """

    velocity: Tensor


class MusemoFlowGenerator(VerifiedModelMixin, SeededGenerationMixin, ModelMixin, ConfigMixin):
    """Turns noise and an emotion into a log-mel spectrogram, in any number of steps.

    A latent at time t lies between data (t = 0) and standard normal noise (t = 1). The network learns the velocity
    noise - data, and `generate` follows it from noise to data. The velocity that is optimal for Gaussian latents is
    built in (the preconditioning of Karras et al. 2022, table 1, derived for this path). So an untrained flow already
    generates Gaussian noise with the covariance of music over bands and time (`ModulationTransform`), whose level and
    local energy vary between clips as those of music do (`ProfileTransform`), and the network learns the remainder.

    Args:
        n_mels: The number of mel bands, a multiple of the patch's.
        n_frames: The number of frames of a spectrogram.
        patch_size: The (mel bands, frames) of a patch, which is one token of the transformer.
        n_components: The number of principal components of a patch that are modelled, see `PatchTransform`.
        n_bands: The number of groups of mel bands that have gains of their own in every clip, see `ProfileTransform`; 0
            disables gains, also in `ModulationTransform`.
        n_pulse_bands: The number of groups of mel bands that have pulse contrasts of their own in every clip, see
            `Pulse`; 0 leaves the pulse out of the latents.
        whitening: How far latents are whitened, in [0, 1], see `ModulationTransform`.
        width: The width of the transformer's tokens, divisible by `n_heads` and by 4.
        depth: The number of transformer blocks.
        n_heads: The number of attention heads.
        num_inference_steps: The default number of sampling steps of `generate`.
        guidance_scale: The default guidance scale of `generate`.

    Raises:
        ValueError: A size does not divide another, or a value is out of its range.
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
        width: int = 192,
        depth: int = 4,
        n_heads: int = 3,
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
        self.network = VelocityNetwork(self.principal.size, grid, n_components, width, depth, n_heads)

    @classmethod
    def extract_init_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Extend diffusers' reading of a configuration by settings that were removed.

        Raises:
            ValueError: A removed setting has a value other than the one that is left.
        """
        for name in _REMOVED.keys() & config_dict.keys():
            if (value := config_dict[name]) != _REMOVED[name]:
                raise ValueError(f"{name} was removed, with the value {_REMOVED[name]} left, got {name}={value!r}")
            logger.info("%s was removed from MusemoFlowGenerator; its value, the only one left, is ignored", name)
        config_dict = {name: value for name, value in config_dict.items() if name not in _REMOVED}
        return super().extract_init_dict(config_dict, **kwargs)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **options: Any) -> Any:
        """Load a checkpoint as diffusers does, and refuse one of other values, which could not be initialised.

        Raises:
            ValueError: The checkpoint lacks values or has others, for example one of an older version.
        """
        wants_info = options.pop("output_loading_info", False)
        dtype = options.pop("torch_dtype") if isinstance(options.get("torch_dtype"), torch.dtype) else None
        model, info = super().from_pretrained(pretrained_model_name_or_path, output_loading_info=True, **options)
        if missing := sorted(info["missing_keys"]):
            raise ValueError(
                f"{pretrained_model_name_or_path}: expected all values of a flow, got none of {', '.join(missing)}; "
                "was it made by another version of musemo_hf?"
            )
        if unexpected := sorted(info["unexpected_keys"]):
            raise ValueError(
                f"{pretrained_model_name_or_path}: expected the values of a flow alone, got {', '.join(unexpected)}; "
                "was it made by another version of musemo_hf?"
            )
        if dtype is not None:  # a cast, which spares the transforms: diffusers itself would round all that is stored
            torch.nn.Module.to(model, dtype)
        return (model, info) if wants_info else model

    def fit(self, spectrogram: Tensor, emotion: Tensor, seed: int = 0) -> None:
        """Fit all that has a closed form: the latents, and the standard deviations of the detail.

        Args:
            spectrogram: The normalised log-mels `(N, 1, n_mels, n_frames)` of the training clips.
            emotion: The emotions `(N, 2)` of these clips.
            seed: The seed that selects patches when there are very many.

        Raises:
            ValueError: The spectrograms have another shape.
        """
        self.profile.fit(spectrogram)
        profile, texture = self.profile.encode(spectrogram)
        self.patches.fit(texture, seed)
        components = self.patches.encode(texture)
        self.modulation.fit(components)
        self.principal.fit(torch.cat([profile, self.modulation.encode(components)[0]], dim=1), emotion)

    def encode(self, spectrogram: Tensor, emotion: Tensor) -> Tensor:
        """Return the latents `(B, n_latents)` of normalised log-mels `(B, 1, n_mels, n_frames)` of emotions `(B, 2)`.

        The latents of the profile come first, then those of the texture.
        """
        spectrogram, emotion = spectrogram.to(self.input_dtype), emotion.to(self.input_dtype)
        profile, texture = self.profile.encode(spectrogram)
        gains, latents = self.modulation.encode(self.patches.encode(texture))
        principal = self.principal.encode(torch.cat([profile, gains], dim=1), emotion)
        return torch.cat([principal, latents.flatten(1)], dim=1)

    def encode_texture(self, texture: Tensor) -> Tensor:
        """Return the latents `(B, columns, width)` of textures `(B, 1, n_mels, n_frames)`, see `ProfileTransform`."""
        return self.modulation.encode(self.patches.encode(texture.to(self.input_dtype)))[1]

    def decode(self, latents: Tensor, emotion: Tensor, detail: Tensor | None = None, strength: float = 1.0) -> Tensor:
        """Invert `encode` up to the detail, without clamping.

        Args:
            latents: The latents `(B, n_latents)`.
            emotion: The emotions `(B, 2)`.
            detail: The noise of the detail, see `PatchTransform.decode`; None leaves the detail out.
            strength: The weight of the regression on the emotion, in [0, 1], see `PrincipalTransform.decode`.
        """
        principal, texture = self.split(latents.to(self.input_dtype))
        emotion = emotion.to(self.input_dtype)
        vectors = self.principal.decode(principal, emotion, strength)
        profile, gains = vectors.split([self.profile.size, self.modulation.gains.size], dim=1)
        return self.profile.decode(profile, self.patches.decode(self.modulation.decode(gains, texture), detail))

    def split(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Split latents `(B, n_latents)` into those of the profile and of the texture, `(B, columns, width)`."""
        profile, texture = latents.split([self.principal.size, self.n_latents - self.principal.size], dim=1)
        return profile, texture.unflatten(1, (self.modulation.columns, self.modulation.width))

    @property
    def n_latents(self) -> int:
        """The number of latent values that represent one spectrogram."""
        return self.principal.size + self.modulation.columns * self.modulation.width

    @property
    def latent_deviation(self) -> Tensor:
        """The standard deviations of the latents, `(n_latents,)`."""
        return torch.cat([self.principal.latent_deviation, self.modulation.latent_deviation.flatten()])

    @property
    def input_dtype(self) -> torch.dtype:
        """The precision of latents, that of the transforms: half precision is for the network alone."""
        return self.principal.mean.dtype

    def forward(
        self,
        latents: Tensor,
        t: Tensor,
        emotion: Tensor,
        drop_mask: Tensor | None = None,
        return_dict: bool = True,
    ) -> MusemoVelocityOutput | tuple[Tensor]:
        """Predict the velocity noise - data, with gradient.

        For data of standard deviation d, the best prediction from the latent x at t alone is
        (t - (1 - t) d^2) / ((1 - t)^2 d^2 + t^2) x, and its error has the deviation d / sqrt((1 - t)^2 d^2 + t^2). The
        network adds a correction in units of that error, and receives x in units of its own deviation, as patches.

        Args:
            latents: The latents `(B, n_latents)` at time `t`.
            t: The times `(B,)`, from 0 (data) to 1 (noise).
            emotion: The emotions `(B, 2)` (valence, arousal) in [-1, 1].
            drop_mask: A bool mask `(B,)`, True for clips whose emotion is left out; None for no clip.
            return_dict: Whether to return a `MusemoVelocityOutput` and not a tuple.
        """
        latents, t, dtype = latents.to(self.input_dtype), t.to(self.input_dtype), self.dtype
        deviation, time = self.latent_deviation, t[:, None]
        variance = ((1 - time) * deviation).square() + time.square()
        best_linear = (time - (1 - time) * deviation.square()) / variance * latents
        root = variance.sqrt()
        profile, texture = self.split(latents / root)
        patches = self.modulation.to_patches(texture)
        inputs = profile.to(dtype), patches.flatten(1, 2).to(dtype), t, emotion.to(dtype)
        profile, correction = self.network(*inputs, drop_mask)
        texture = self.modulation.to_coefficients(correction.to(patches).view_as(patches))
        velocity = best_linear + deviation / root * torch.cat([profile.to(texture), texture.flatten(1)], dim=1)
        return MusemoVelocityOutput(velocity=velocity) if return_dict else (velocity,)

    @property
    def noise_dim(self) -> int:  # type: ignore[override]
        """The length of the noise vector of one spectrogram: its latents, followed by its detail."""
        return self.n_latents + self.patches.rows * self.patches.columns * self.patches.n_detail

    def generate(
        self,
        emotion: Tensor | Sequence,
        seed: int | Sequence[int] | None = None,
        noise: Tensor | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        callback: Callable[[int, Tensor, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Generate clips without gradient, in evaluation mode; the mode is restored afterwards.

        Args:
            emotion: The emotions `(B, 2)` (valence, arousal) in [-1, 1].
            seed: The seed or seeds of the noise, see `sample_noise`. Sample i is the same in any batch.
            noise: The noise `(B, noise_dim)`, instead of a seed.
            num_inference_steps: The number of Euler steps, at least 1. A single step gives about the mean of all music
                of that emotion.
            guidance_scale: The scale of classifier-free guidance (Ho & Salimans 2022), at least 0. At 1 the emotion is
                followed as learnt; higher values give it more weight, at twice the time; 0 ignores it.
            callback: A function that is called after each step with its index, its time and the latents, and returns
                the latents to go on with.

        Returns:
            The normalised log-mels `(B, 1, n_mels, n_frames)` in [-1, 1].

        Raises:
            ValueError: See `prepare_inputs`; or the steps or the guidance scale are out of their range.
        """
        steps, guidance = self._sampling(num_inference_steps, guidance_scale)
        emotion, noise = self.prepare_inputs(emotion, seed, noise)
        with evaluating(self):
            latents, detail = self._split_noise(noise)
            latents = self._integrate(latents, emotion, steps, guidance, callback)
            # guidance exaggerates what the network learnt, not the regression on the emotion
            return self.decode(latents, emotion, detail, strength=min(guidance, 1.0)).clamp(-1, 1)

    def vary(
        self,
        spectrogram: Tensor,
        emotion: Tensor | Sequence,
        target: Tensor | Sequence,
        strength: float = 0.5,
        seed: int | Sequence[int] | None = None,
        num_inference_steps: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Make variations of clips: noise is added part of the way and removed again (SDEdit, Meng et al. 2022).

        The latents of a clip are moved along the straight path towards noise, up to the time `strength`, from where the
        velocity is followed back under an emotion between that of the clip and the target. The detail is mixed with
        new detail of the same deviation.

        Args:
            spectrogram: The normalised log-mels `(B, 1, n_mels, n_frames)` of the clips.
            emotion: The emotions `(B, 2)` (valence, arousal) of the clips, in [-1, 1].
            target: The emotions `(B, 2)` to go towards.
            strength: How far, in [0, 1]: 0 gives the clip itself, 1 a new clip of the target's emotion.
            seed: The seed or seeds of the noise, see `sample_noise`.
            num_inference_steps: The number of Euler steps that strength 1 would take, at least 1.

        Returns:
            The variations, of the shape of `spectrogram`, and their emotions `(B, 2)`, which are
            (1 - strength) emotion + strength target.

        Raises:
            ValueError: The strength is out of its range, there is not one target for each clip, or see `generate`.
        """
        if not is_number(strength, 0, 1):
            raise ValueError(f"expected a strength in [0, 1], got {strength!r}")
        steps, _ = self._sampling(num_inference_steps, 1.0)
        emotion, noise = self.prepare_inputs(emotion, seed, None)
        target = check_emotion(target).to(emotion)
        if not len(spectrogram) == len(emotion) == len(target):
            raise ValueError(
                f"expected an emotion and a target for each of {len(spectrogram)} clips, got {len(emotion)} and "
                f"{len(target)}"
            )
        with evaluating(self):
            spectrogram, between = spectrogram.to(noise), torch.lerp(emotion, target, strength)
            new, new_detail = self._split_noise(noise)
            detail = self.patches.encode_detail(self.profile.encode(spectrogram)[1])
            detail = (1 - strength**2) ** 0.5 * detail + strength * new_detail
            latents = torch.lerp(self.encode(spectrogram, emotion), new, strength)
            if strength:
                latents = self._integrate(latents, between, max(1, round(strength * steps)), 1.0, start=strength)
            return self.decode(latents, between, detail).clamp(-1, 1), between

    def _sampling(self, num_inference_steps: int | None, guidance_scale: float | None) -> tuple[int, float]:
        """Return the number of steps and the guidance scale, with the defaults of the configuration, once checked."""
        steps = self.config.num_inference_steps if num_inference_steps is None else num_inference_steps
        guidance = self.config.guidance_scale if guidance_scale is None else guidance_scale
        if not (isinstance(steps, Integral) and int(steps) >= 1 and is_number(guidance, 0)):
            raise ValueError(f"expected at least 1 step and a guidance scale from 0 on, got {steps!r} and {guidance!r}")
        return int(steps), float(guidance)

    def _split_noise(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Split noise `(B, noise_dim)` into that of the latents and of the detail, `(B, rows, columns, n_detail)`."""
        latents, detail = noise.split([self.n_latents, noise.shape[1] - self.n_latents], dim=1)
        return latents, detail.unflatten(1, (self.patches.rows, self.patches.columns, self.patches.n_detail))

    def _integrate(
        self,
        latents: Tensor,
        emotion: Tensor,
        steps: int,
        guidance: float,
        callback: Any = None,
        start: float = 1.0,
    ) -> Tensor:
        """Follow the velocity from the time `start` (1 is noise) to data by diffusers' Euler scheduler."""
        scheduler = FlowMatchEulerDiscreteScheduler()
        # explicit sigmas: by default the last step would be one of a thousandth
        scheduler.set_timesteps(sigmas=np.linspace(start, start / steps, steps), device=latents.device)
        for index, timestep in enumerate(scheduler.timesteps):
            velocity = self._guided(latents, scheduler.sigmas[index].expand(len(latents)), emotion, guidance)
            latents = scheduler.step(velocity, timestep, latents).prev_sample
            latents = latents if callback is None else callback(index, timestep, latents)
        return latents

    def _guided(self, latents: Tensor, t: Tensor, emotion: Tensor, guidance: float) -> Tensor:
        if guidance == 1:
            return self(latents, t, emotion).velocity
        twice = [value.repeat(2, *[1] * (value.ndim - 1)) for value in (latents, t, emotion)]
        drop_mask = torch.arange(2 * len(latents), device=latents.device) >= len(latents)
        conditional, unconditional = self(*twice, drop_mask=drop_mask).velocity.chunk(2)
        return torch.lerp(unconditional, conditional, guidance)
