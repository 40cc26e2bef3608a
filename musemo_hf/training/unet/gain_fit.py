"""The gains of a U-Net generator's predictions, fitted to songs along its own way from noise to data."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.models.unet.beat import BEAT, find_beat
from musemo_hf.models.unet.descriptors import DESCRIPTORS, perturbed
from musemo_hf.models.unet.flow_sampling import guided
from musemo_hf.models.unet.generation import evaluating
from musemo_hf.models.unet.prediction_gains import COMPONENTS, LARGEST, components

BATCH = 16
SMALLEST = 1e-12
FIRST_LOGIT = 9.0  # stands for time 1, whose logit is infinite
Predict = Callable[[Tensor, float, slice], Tensor]


def fit_gains(generator: MusemoUNetGenerator, spectrogram: Tensor, emotion: Tensor, seed: int = 0) -> list[list[float]]:
    """Fit gains at each time of the generator's own number of sampling steps.

    At a time, the slope of true on predicted data is found on songs with noise, a least-squares regression. Levels (of
    clips, bands and frames) are multiplied by it, and by the square root of the ratio of their power in predictions on
    songs to that in predictions on the generator's own latents, which it has reached with the gains of earlier times:
    in the end they vary as much as in songs. Detail has the slope alone.

    Args:
        generator: The generator, whose present gains are removed.
        spectrogram: The normalised log-mels of training songs `(N, 1, n_mels, n_frames)`.
        emotion: Their (valence, arousal), `(N, 2)`.
        seed: The seed of the noise.

    Returns:
        Rows (logit, a gain for each of `COMPONENTS`) for `prediction_gains`, between 0 and 2.
    """
    generator.register_to_config(prediction_gains=None)
    random, rows = torch.Generator().manual_seed(seed), []
    sampling, multiple = generator.sampling(None, None), generator.network.frame_multiple
    with evaluating(generator):
        songs = generator.bands.encode(spectrogram.to(generator.device))
        songs = songs[..., : songs.shape[-1] // multiple * multiple]
        emotion, others = emotion.to(songs), {}
        if generator.prior is not None:
            others = {DESCRIPTORS: perturbed(generator.prior.describe(songs), random).to(songs)}
        if generator.config.beat:
            others[BEAT] = find_beat(spectrogram).to(songs)

        def predict(latents: Tensor, t: float, part: slice) -> Tensor:
            at, given = latents.new_full((len(latents),), t), {name: value[part] for name, value in others.items()}
            return latents - t * guided(generator, latents, at, emotion[part], given, sampling.guidance)

        own = [torch.randn(songs[part].shape, generator=random).to(songs) for part in _parts(songs)]
        schedulers = [sampling.scheduler() for _ in own]
        for step, timestep in enumerate(schedulers[0].timesteps):
            t = schedulers[0].sigmas[step].item()
            gains, made = _gains_at(t, songs, own, predict, random)
            rows.append([round(_logit(t), 4), *(round(gain, 3) for gain in gains.tolist())])
            factors = gains.to(songs)[:, None, None, None, None]
            for batch, scheduler in enumerate(schedulers):
                velocity = (own[batch] - (factors * made[batch]).sum(0)) / t
                own[batch] = scheduler.step(velocity, timestep, own[batch]).prev_sample
    return rows


def _gains_at(
    t: float, songs: Tensor, own: list[Tensor], predict: Predict, random: torch.Generator
) -> tuple[Tensor, list[Tensor]]:
    """Return the gain of each component at a time, and the components of what is predicted from own latents."""
    products, made = torch.zeros(3, len(COMPONENTS), dtype=torch.float64), []
    for part, latents in zip(_parts(songs), own, strict=True):
        noise = torch.randn(latents.shape, generator=random).to(songs)
        found, true = components(predict(torch.lerp(songs[part], noise, t), t, part)), components(songs[part])
        made.append(components(predict(latents, t, part)))
        pairs = (found * true, found.square(), made[-1].square())
        products += torch.stack([pair.flatten(1).double().sum(1).cpu() for pair in pairs])
    power, own_power = products[1:].clamp(min=SMALLEST)
    gains = products[0] / power
    gains[:-1] *= (power / own_power).sqrt()[:-1]
    return gains.clamp(0, LARGEST), made


def _parts(songs: Tensor) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, len(songs), BATCH))


def _logit(t: float) -> float:
    return FIRST_LOGIT if t >= 1 else math.log(t / (1 - t))
