"""A generator by flow matching (Lipman et al. 2023; rectified flow, Liu et al. 2023) with a U-Net on the log-mel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.utils import BaseOutput
from torch import Tensor

from .beat import BEAT, STRENGTH
from .conditions import SCALES
from .descriptors import DESCRIPTORS, DescriptorPrior, seeds_of
from .emotion_map import check_emotion_map, map_emotion
from .flow_editing import FlowEditingMixin
from .flow_sampling import Callback, Sampling, integrate
from .generation import SeededGenerationMixin, add_fade_in, check_fade_in, evaluating
from .latents import BandStandardisation, PatchCosines
from .prediction_gains import apply_gains, check_gains
from .unet_velocity import UNetVelocity
from .verification import VerifiedModelMixin


@dataclass
class MusemoUNetOutput(BaseOutput):
    """Contains the prediction of the network.

    Attributes:
        velocity: The velocity noise - data `(B, 1, n_mels, frames)`.
    """

    velocity: Tensor


class MusemoUNetGenerator(VerifiedModelMixin, SeededGenerationMixin, FlowEditingMixin, ModelMixin, ConfigMixin):
    """Turns noise and an emotion into a log-mel spectrogram, cell by cell, in any number of steps.

    A latent is a log-mel standardised in each mel band. At time t it lies between data (t = 0) and standard normal
    noise (t = 1). The network learns the velocity noise - data on crops of songs, and `generate` follows it from noise
    to data.

    Args:
        n_mels: The number of mel bands.
        n_frames: The number of frames of a spectrogram.
        patch: The mel bands and frames of a patch, see `UNetVelocity`.
        channels: The number of channels of each scale, from fine to coarse.
        layers: The number of residual blocks of each scale.
        attention: For each scale, whether its blocks have attention.
        condition_width: The width of the embedding of time and conditions.
        conditions: The names of the conditions that can be given beside the emotion; each can be left out.
        augmentations: The names of the conditions that say how a training clip was changed (Karras et al. 2022,
            appendix F.2). They are 0, no change, when clips are generated.
        genres: The names of the genres that can be given as the condition "genre"; none for a model without genres.
        n_descriptors: The number of descriptors of a whole clip that are drawn before it is made, see
            `DescriptorPrior`; 0 for none.
        n_training_clips: The number of training clips among whose descriptors is drawn.
        beat: Whether the network is told a beat (see `find_beat`), which is drawn with the descriptors or has the tempo
            that is asked for.
        num_inference_steps: The default number of sampling steps of `generate`.
        guidance_scale: The default guidance scale of `generate`.
        prediction_gains: Rows of gains that calibrate predictions when clips are sampled, see `apply_gains`; None for
            none.
        emotion_map: The calibration of the emotion, see `map_emotion`; None for none.
        emotion_range: The (least, greatest) valence and arousal of the training songs, see `map_emotion`.
        fade_in: What `generate` adds to the first frames of a clip, on the normalised scale, because the songs of the
            training fade in; None for nothing. A network that learns from crops does not know where a clip begins.

    Raises:
        ValueError: The sizes do not fit each other, or a calibration has another shape.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        n_mels: int = 128,
        n_frames: int = 431,
        patch: int = 4,
        channels: tuple[int, ...] = (64, 96, 128, 160),
        layers: int = 1,
        attention: tuple[bool, ...] = (False, False, True, True),
        condition_width: int = 192,
        conditions: tuple[str, ...] = (),
        augmentations: tuple[str, ...] = (),
        genres: tuple[str, ...] = (),
        n_descriptors: int = 0,
        n_training_clips: int = 0,
        beat: bool = False,
        num_inference_steps: int = 20,
        guidance_scale: float = 1.5,
        prediction_gains: tuple[tuple[float, ...], ...] | None = None,
        emotion_map: tuple[tuple[float, ...], ...] | None = None,
        emotion_range: tuple[tuple[float, float], ...] | None = None,
        fade_in: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__()
        if n_frames < 1:
            raise ValueError(f"expected at least 1 frame, got {n_frames}")
        check_emotion_map(emotion_map, emotion_range)
        check_gains(prediction_gains)
        check_fade_in(fade_in, n_frames)
        if beat and not n_descriptors:
            raise ValueError("expected descriptors with a beat, which is drawn with them, got n_descriptors 0")
        names = ("valence", "arousal", *conditions, *augmentations)
        self.bands = BandStandardisation(n_mels)
        self.cosines = PatchCosines(n_mels, patch)
        self.prior = None
        if n_descriptors:
            self.prior = DescriptorPrior(n_mels, n_descriptors, n_training_clips, conditions, genres, beat)
        sizes = (n_mels, patch, channels, layers, attention, condition_width)
        self.network = UNetVelocity(*sizes, names, genres, n_descriptors, beat)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **options: Any) -> Any:
        """Load a checkpoint as diffusers does, and refuse one of other values, which could not be initialised.

        Raises:
            ValueError: The checkpoint lacks values or has others, for example one of another version.
        """
        wants_info = options.pop("output_loading_info", False)
        dtype = options.pop("torch_dtype") if isinstance(options.get("torch_dtype"), torch.dtype) else None
        model, info = super().from_pretrained(pretrained_model_name_or_path, output_loading_info=True, **options)
        differing = [*info["missing_keys"], *info["unexpected_keys"]]
        if differing:
            raise ValueError(
                f"{pretrained_model_name_or_path}: expected the values of a U-Net generator and no others, which "
                f"{', '.join(sorted(differing))} contradicts; was it made by another version of musemo_hf?"
            )
        if dtype is not None:  # a cast, which spares the standardisation: diffusers itself would round all
            torch.nn.Module.to(model, dtype)
        return (model, info) if wants_info else model

    def fit(self, spectrogram: Tensor) -> None:
        """Set mean and deviation of each band, and the deviations of cosines, from the clips of the training.

        Args:
            spectrogram: The normalised log-mels `(N, 1, n_mels, n_frames)`.

        Raises:
            ValueError: The spectrograms have another shape.
        """
        if spectrogram.ndim != 4 or spectrogram.shape[1:3] != (1, self.config.n_mels):
            raise ValueError(f"expected (N, 1, {self.config.n_mels}, n_frames), got {tuple(spectrogram.shape)}")
        self.bands.fit(spectrogram)
        self.cosines.fit(self.bands.encode(spectrogram))

    @property
    def input_dtype(self) -> torch.dtype:
        """The precision of latents, that of the standardisation: half precision is for the network alone."""
        return self.bands.mean.dtype

    @property
    def latent_frames(self) -> int:
        """The number of frames that are sampled: `n_frames`, rounded up to what the network can halve."""
        multiple = self.network.frame_multiple
        return -(-self.config.n_frames // multiple) * multiple

    @property
    def noise_dim(self) -> int:  # type: ignore[override]
        """The length of the noise vector of one spectrogram."""
        return self.config.n_mels * self.latent_frames

    def forward(
        self,
        latents: Tensor,
        t: Tensor,
        emotion: Tensor,
        drop_mask: Tensor | None = None,
        conditions: Mapping[str, Tensor] | None = None,
        return_dict: bool = True,
    ) -> MusemoUNetOutput | tuple[Tensor]:
        """Predict the velocity noise - data, with gradient.

        For a cosine of a patch whose data have the deviation d, the best linear prediction from its value x at t is
        (t - (1 - t) d^2) / ((1 - t)^2 d^2 + t^2) x, and its error has the deviation d / sqrt((1 - t)^2 d^2 + t^2). The
        network receives x in units of its own deviation and adds a correction in units of that error (the
        preconditioning of Karras et al. 2022, table 1, derived for this path). Without it the network would have to
        carry the noise of every cell from its input to its output.

        Args:
            latents: The latents `(B, 1, n_mels, frames)` at time `t`; the frames are a multiple of
                `network.frame_multiple`, and need not be `latent_frames`.
            t: The times `(B,)`, from 0 (data) to 1 (noise).
            emotion: The emotions `(B, 2)` (valence, arousal) in [-1, 1].
            drop_mask: A bool mask `(B,)`, True for clips whose emotion is left out; None for no clip.
            conditions: Further conditions `(B,)` in [-1, 1] by name, NaN where left out. An augmentation that is not
                named is 0. "genre" are shares of genres `(B, n_genres)`.
            return_dict: Whether to return a `MusemoUNetOutput` and not a tuple.

        """
        latents, t, dtype = latents.to(self.input_dtype), t.to(self.input_dtype), self.dtype
        time, deviation = t.view(-1, 1, 1, 1), self.cosines.deviation
        values = self.cosines.encode(latents)
        variance = ((1 - time) * deviation).square() + time.square()
        root = variance.sqrt()
        best_linear = (time - (1 - time) * deviation.square()) / variance * values
        unchanged = {name: torch.zeros_like(t) for name in self.config.augmentations}
        given = unchanged | dict(conditions or {})
        exact = {BEAT: torch.float32}  # half precision would lose the phase
        given = {name: value.to(t.device, exact.get(name, dtype)) for name, value in given.items()}
        correction = self.network((values / root).to(dtype), t, emotion.to(dtype), given, drop_mask)
        velocity = self.cosines.decode(best_linear + deviation / root * correction.to(values))
        return MusemoUNetOutput(velocity=velocity) if return_dict else (velocity,)

    def generate(
        self,
        emotion: Tensor | Sequence,
        seed: int | Sequence[int] | None = None,
        noise: Tensor | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        callback: Callback | None = None,
        conditions: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Generate clips without gradient, in evaluation mode; the mode is restored afterwards.

        Args:
            emotion: The emotions `(B, 2)` (valence, arousal) in [-1, 1]; a calibrated model maps them first.
            seed: The seed or seeds of the noise, see `sample_noise`. Sample i is the same in any batch.
            noise: The noise `(B, noise_dim)`, instead of a seed.
            num_inference_steps: The number of steps, at least 1.
            guidance_scale: The scale of classifier-free guidance, at least 0. At 1 the emotion is followed as learnt;
                higher values give it and the descriptors more weight, at up to twice the time; 0 ignores both.
            callback: A function that is called after each step, see `Sampling`.
            conditions: Values `(B,)` of the model's `conditions` by name, in the units of `SCALES`, such as
                `{"tempo": torch.tensor([120.0])}`, and shares of its genres as "genre" (see `genre_shares`); what is
                not named is left to the model. The answer of `describe` as "descriptors" makes clips that are like
                songs as a whole; without it descriptors are drawn, see `DescriptorPrior`. The answer of `find_beat` as
                "beat" gives them the beat of songs; without it the beat has the tempo that is asked for, or is drawn.

        Returns:
            The normalised log-mels `(B, 1, n_mels, n_frames)` in [-1, 1].

        Raises:
            ValueError: See `prepare_inputs` and `Conditions.check`; or the steps or the guidance scale are out of their
                range.
        """
        sampling = self.sampling(num_inference_steps, guidance_scale, callback)
        emotion, noise = self.prepare_inputs(emotion, seed, noise)
        emotion = self.calibrated(emotion)
        latents = noise.view(len(noise), 1, self.config.n_mels, self.latent_frames)
        others = self.wishes(conditions, emotion, seeds_of(noise))
        with evaluating(self):
            latents = integrate(self, latents, emotion, others, sampling)
            return add_fade_in(self.decode(latents), self.config.fade_in)

    def predict(
        self,
        latents: Tensor,
        t: Tensor,
        emotion: Tensor,
        drop_mask: Tensor | None = None,
        conditions: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Return the velocity that is followed: that of `forward`, with the gains of a calibrated model."""
        velocity = self(latents, t, emotion, drop_mask, conditions).velocity
        gains = self.config.prediction_gains
        return velocity if gains is None else apply_gains(velocity, latents.to(velocity), t.to(velocity), gains)

    def sampling(
        self, num_inference_steps: int | None, guidance_scale: float | None, callback: Callback | None = None
    ) -> Sampling:
        """Return how clips are sampled, with the model's own settings for what is None.

        Raises:
            ValueError: A value is out of its range.
        """
        steps = self.config.num_inference_steps if num_inference_steps is None else num_inference_steps
        guidance = self.config.guidance_scale if guidance_scale is None else guidance_scale
        return Sampling(steps, guidance, callback)

    def wishes(
        self,
        conditions: Mapping[str, Tensor] | None,
        emotion: Tensor,
        seeds: Sequence[int],
        latents: Tensor | None = None,
        beat: Tensor | None = None,
        keeps_emotion: bool = False,
    ) -> dict[str, Tensor]:
        """Return checked conditions in [-1, 1], with descriptors and beats that are drawn where they are not given.

        Args:
            conditions: Conditions by name, see `generate`.
            emotion: The emotions `(B, 2)` that the network is asked for.
            seeds: The seeds of the clips.
            latents: Latents of songs that are changed, whose descriptors are moved to what is asked for, or, where a
                genre is asked for, are drawn to resemble them; None for no songs.
            beat: The beats `(B, 3)` of songs, which are kept where no tempo is asked for; None for no songs.
            keeps_emotion: Whether the descriptors of songs are not moved to the emotion.

        Raises:
            ValueError: See `Conditions.check`.
        """
        others = self.network.conditions.check(conditions or {}, len(emotion))
        if self.prior is None:
            return others
        is_long = latents is not None and latents.shape[-1] >= self.network.frame_multiple  # long enough to tell
        near = self.prior.describe(latents) if latents is not None and is_long else None
        drawn = {}
        if DESCRIPTORS not in others:
            if near is None or "genre" in others:
                drawn[DESCRIPTORS] = self.prior.draw(emotion, others, seeds, near)
            else:
                drawn[DESCRIPTORS] = self.prior.move(near, None if keeps_emotion else emotion, others, seeds)
        if self.config.beat and BEAT not in others:
            drawn[BEAT] = self.prior.draw_beats(emotion, others, seeds, near) if beat is None else beat
            tempo = SCALES["tempo"].denormalise(others["tempo"]).to(drawn[BEAT]) / 60 if "tempo" in others else None
            if tempo is not None:
                asked = torch.stack([tempo, torch.full_like(tempo, STRENGTH), drawn[BEAT][:, 2]], dim=1)
                drawn[BEAT] = torch.where(tempo.isnan()[:, None], drawn[BEAT], asked)
        return others | drawn

    def describe(self, spectrogram: Tensor) -> Tensor:
        """Return descriptors of songs, which `generate` takes as the condition "descriptors".

        Args:
            spectrogram: The normalised log-mels `(B, 1, n_mels, frames)` of any length.

        Returns:
            The descriptors `(B, n_descriptors)`, in standard deviations of the training songs.

        Raises:
            ValueError: The generator has no descriptors.
        """
        if self.prior is None:
            raise ValueError("expected a generator with descriptors, got one whose n_descriptors is 0")
        return self.prior.describe(self.bands.encode(spectrogram.to(self.device, self.input_dtype)))

    def calibrated(self, emotion: Tensor) -> Tensor:
        """Return the emotions `(B, 2)` that the network is asked for, so that `emotion` is recognised."""
        return map_emotion(emotion, self.config.emotion_map, self.config.emotion_range)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the normalised log-mels `(B, 1, n_mels, n_frames)` in [-1, 1] of latents of `latent_frames`."""
        return self.bands.decode(latents)[..., : self.config.n_frames].clamp(-1, 1)
