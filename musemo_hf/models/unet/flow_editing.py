"""Changing a given song: variations of it, parts of it made anew, and its continuation."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .beat import find_beat
from .flow_sampling import Sampling, guided, integrate
from .generation import check_emotion, evaluating, expand_seeds, is_number


class FlowEditingMixin:
    """Adds `vary`, `infill` and `extend` to a generator by flow matching on log-mels of any length.

    All take and return normalised log-mels `(B, 1, n_mels, frames)` in [-1, 1], without gradient.
    """

    def vary(
        self: Any,
        spectrogram: Tensor,
        emotion: Tensor | Sequence,
        strength: float = 0.5,
        seed: int | Sequence[int] | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        conditions: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Make variations of songs: noise is added part of the way and removed again (SDEdit, Meng et al. 2022).

        Args:
            spectrogram: The songs `(B, 1, n_mels, frames)`, of any number of frames.
            emotion: The emotions `(B, 2)` of the variations.
            strength: How far the songs are changed, in [0, 1]: 0 returns them, and 1 keeps nothing of them.
            seed: The seed or seeds of the noise, see `expand_seeds`.
            num_inference_steps: The number of steps from noise to data, of which the share `strength` is made.
            guidance_scale: See `generate`.
            conditions: Further conditions by name, see `generate`.

        Returns:
            The variations `(B, 1, n_mels, frames)`.

        Raises:
            ValueError: The strength is outside [0, 1], there are not as many songs as emotions, the songs are not
                normalised log-mels, or as in `generate`.
        """
        if not is_number(strength, 0, 1):
            raise ValueError(f"expected a strength in [0, 1], got {strength!r}")
        asked, data = self._checked(spectrogram, emotion)
        whole = self.sampling(num_inference_steps, guidance_scale)
        seeds = expand_seeds(seed, len(data))
        self.network.conditions.check(conditions or {}, len(data))  # also where the songs stay as they are
        if strength == 0:
            return spectrogram.to(data).clone()
        sampling = Sampling(max(1, round(strength * whole.steps)), whole.guidance)
        latents = torch.lerp(data, self._noise(data, seeds), strength)
        song = {} if strength == 1 else {"latents": data, "beat": find_beat(spectrogram.to(data))}
        others = self.wishes(conditions, asked, seeds, **song)
        with evaluating(self):
            latents = integrate(self, latents, asked, others, sampling, start=strength)
            return self.bands.decode(latents)[..., : spectrogram.shape[-1]].clamp(-1, 1)

    def infill(
        self: Any,
        spectrogram: Tensor,
        unknown: Tensor,
        emotion: Tensor | Sequence,
        seed: int | Sequence[int] | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        repeats: int = 4,
        conditions: Mapping[str, Tensor] | None = None,
        keeps_emotion: bool = True,
    ) -> Tensor:
        """Make frames of songs anew so that they fit the frames that stay.

        What is made has the beat and the descriptors of what stays, which outweigh the emotion. The frames that stay
        are held on the straight path between data and noise while the others are sampled. After each step noise is
        added and removed again, so that both parts fit each other (RePaint, Lugmayr et al. 2022).

        Args:
            spectrogram: The songs `(B, 1, n_mels, frames)`, of any number of frames.
            unknown: A bool mask `(frames,)`, True for the frames to make.
            emotion: The emotions `(B, 2)` of the new frames.
            seed: The seed or seeds of the noise, see `expand_seeds`.
            num_inference_steps: See `generate`.
            guidance_scale: See `generate`.
            repeats: How often each step is made, at least 1; the time it takes grows with it.
            conditions: Further conditions by name, see `generate`.
            keeps_emotion: Whether the descriptors of what stays are kept; False moves them to the emotion, as `extend`
                does.

        Returns:
            The songs `(B, 1, n_mels, frames)`, whose known frames are those that were given.

        Raises:
            ValueError: The mask has another shape or no frame stays, the repeats are below 1, there are not as many
                songs as emotions, the songs are not normalised log-mels, or as in `generate`.
        """
        asked, data = self._checked(spectrogram, emotion)
        n_frames = spectrogram.shape[-1]
        if unknown.dtype != torch.bool or unknown.shape != (n_frames,) or unknown.all():
            raise ValueError(
                f"expected a mask of bool ({n_frames},) under which frames stay, got {tuple(unknown.shape)}"
            )
        if repeats < 1:
            raise ValueError(f"expected at least 1 repeat, got {repeats}")
        sampling = self.sampling(num_inference_steps, guidance_scale)
        unknown = functional.pad(unknown.to(data.device), (0, data.shape[-1] - n_frames), value=True)
        seeds = expand_seeds(seed, len(data))
        generators = [torch.Generator().manual_seed(each) for each in seeds]
        beat = find_beat(spectrogram.to(data), ~unknown[:n_frames])
        others = self.wishes(conditions, asked, seeds, data[..., ~unknown], beat, keeps_emotion)
        with evaluating(self):
            latents = _fill(self, data, unknown, asked, others, sampling, generators, repeats)
            made = self.bands.decode(latents)[..., :n_frames].clamp(-1, 1)
        return torch.where(unknown[:n_frames], made, spectrogram.to(made))

    def extend(
        self: Any,
        spectrogram: Tensor,
        n_frames: int,
        emotion: Tensor | Sequence,
        seed: int | Sequence[int] | None = None,
        context: int | None = None,
        **options: Any,
    ) -> Tensor:
        """Continue songs by any number of frames, window by window, each fitted to what is before it.

        Args:
            spectrogram: The songs `(B, 1, n_mels, frames)`.
            n_frames: The number of frames to add, at least 1.
            emotion: The emotions `(B, 2)` of what is added.
            seed: The seed or seeds of the noise, see `expand_seeds`.
            context: The number of frames at the end that each window continues; None for half of the model's clips.
            **options: Further arguments of `infill`.

        Returns:
            The songs with what is added, `(B, 1, n_mels, frames + n_frames)`.

        Raises:
            ValueError: The songs are too short to continue, the context leaves no frame to make, or as in `infill`.
        """
        window, shortest = self.config.n_frames, self.network.frame_multiple
        context = window // 2 if context is None else context
        if not (n_frames >= 1 and shortest <= context < window):
            raise ValueError(
                f"expected at least 1 frame to add, and a context from {shortest} to {window - 1} frames, got "
                f"{n_frames} and {context}"
            )
        if spectrogram.shape[-1] < shortest:
            raise ValueError(f"expected a song of at least {shortest} frames to continue, got {spectrogram.shape[-1]}")
        seeds = torch.tensor(expand_seeds(seed, len(spectrogram)))
        total = spectrogram.shape[-1] + n_frames
        while (missing := total - spectrogram.shape[-1]) > 0:
            known = spectrogram[..., -min(context, spectrogram.shape[-1]) :]
            new = window - known.shape[-1]  # always a whole window, of which the last may be too long
            unknown = torch.arange(window) >= known.shape[-1]
            padded = functional.pad(known, (0, new))
            filled = self.infill(padded, unknown, emotion, seeds.tolist(), **{"keeps_emotion": False, **options})
            added = filled[..., known.shape[-1] :][..., :missing]
            spectrogram = torch.cat([spectrogram.to(added), added], dim=-1)
            seeds = (seeds + 1_000_003) % 2**31  # other noise for each window
        return spectrogram

    def _checked(self: Any, spectrogram: Tensor, emotion: Tensor | Sequence) -> tuple[Tensor, Tensor]:
        """Return checked emotions, and the latents of songs, padded to frames that the network can halve."""
        emotion = check_emotion(emotion)
        if spectrogram.ndim != 4 or spectrogram.shape[1:3] != (1, self.config.n_mels) or not spectrogram.shape[3]:
            raise ValueError(f"expected songs (B, 1, {self.config.n_mels}, frames), got {tuple(spectrogram.shape)}")
        if len(spectrogram) != len(emotion):
            raise ValueError(f"expected as many songs as emotions, got {len(spectrogram)} and {len(emotion)}")
        if not spectrogram.abs().amax() <= 1.001:  # also where NaN
            raise ValueError("expected normalised log-mels in [-1, 1], got other values; are they in dB?")
        spectrogram = spectrogram.to(self.device, self.input_dtype)
        missing = -spectrogram.shape[-1] % self.network.frame_multiple
        data = self.bands.encode(functional.pad(spectrogram, (0, missing, 0, 0), mode="replicate"))
        return self.calibrated(emotion.to(self.device, self.input_dtype)), data

    def _noise(self, data: Tensor, seeds: Sequence[int]) -> Tensor:
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return draw(data, generators)


def draw(data: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Draw normal noise like `data`, with a random generator of its own for each sample."""
    return torch.stack([torch.randn(data.shape[1:], generator=each) for each in generators]).to(data)


def _fill(
    model: Any,
    data: Tensor,
    unknown: Tensor,
    emotion: Tensor,
    conditions: Mapping[str, Tensor],
    sampling: Sampling,
    generators: Sequence[torch.Generator],
    repeats: int,
) -> Tensor:
    """Sample the unknown frames of latents; see `FlowEditingMixin.infill`."""
    times = sampling.scheduler().sigmas.tolist()  # the last is 0
    noise = draw(data, generators)
    latents = noise
    for step, (t, after) in enumerate(pairwise(times)):
        for repeat in range(repeats if step else 1):  # the first latents are noise, to which no noise is added
            if repeat:  # back from `after` to t, by noise that gives a latent of t again
                kept = (1 - t) / (1 - after)
                added = (t**2 - (kept * after) ** 2) ** 0.5
                noise = draw(data, generators)
                latents = kept * latents + added * noise
                latents = torch.where(unknown, latents, torch.lerp(data, noise, t))
            at = latents.new_full((len(latents),), t)
            latents = latents + (after - t) * guided(model, latents, at, emotion, conditions, sampling.guidance)
            latents = torch.where(unknown, latents, torch.lerp(data, noise, after))
    return latents
