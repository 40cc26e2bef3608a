"""The beat of a clip: how often, how clearly and when its sound begins anew.

A network that makes a clip from noise has to place all onsets at once, and one that was trained for hours does not
agree with itself on when they are due. It is therefore told a regular beat, as two more channels of its input: the
cosine and the sine of the phase at each column of patches, times the strength of the beat.
"""

import math

import torch
from torch import Tensor

BEAT = "beat"
RANGE = (40.0, 240.0)  # beats per minute
USUAL, OCTAVES = 120.0, 1.0  # beats per minute that are preferred among multiples, and how strongly
NEAR, N_NEAR = (0.94, 1.06), 61  # rates that are tried near the one of the autocorrelation
SMALLEST = 1e-9
STRENGTH = 0.4  # of a beat that is asked for by its tempo
FRAMES_A_SECOND = 22050 / 512  # of the log-mels, see `MusemoFeatureExtractor`


def find_beat(spectrogram: Tensor, known: Tensor | None = None) -> Tensor:
    """Find the most regular beat of log-mels.

    The rate is about that of the highest autocorrelation of the onsets, where rates near 120 beats per minute are
    preferred, as by `librosa.feature.tempo`; among those near it, the one at which their Fourier transform is largest.

    Args:
        spectrogram: The normalised log-mels `(B, 1, n_mels, frames)`.
        known: A bool mask `(frames,)`, True for the frames that count; None for all.

    Returns:
        The beats `(B, 3)`: the rate in Hz; the strength, the part of the onsets that is on it, from 0 to 1; and the
        phase at the first frame in cycles, from 0 to 1.
    """
    cells = spectrogram[:, 0].float()
    counts = torch.ones(cells.shape[-1], device=cells.device)
    if known is not None:  # a change counts between two known frames
        counts = (known & known.roll(1)).to(counts)
    onsets = counts * cells.diff(dim=-1, prepend=cells[..., :1]).clamp(min=0).mean(1)
    about = _about(onsets, counts)
    rates = (about[:, None] * torch.linspace(*NEAR, N_NEAR, device=about.device)).clamp(*(end / 60 for end in RANGE))
    angle = 2 * math.pi * rates[..., None] * torch.arange(len(counts), device=about.device) / FRAMES_A_SECOND
    total = onsets.sum(-1, keepdim=True).clamp(min=SMALLEST)
    cosine, sine = ((onsets[:, None] * wave).sum(-1) / total for wave in (angle.cos(), angle.sin()))
    size = torch.hypot(cosine, sine)
    best = size.argmax(1, keepdim=True)
    rate, strength, cosine, sine = (value.gather(1, best)[:, 0] for value in (rates, size, cosine, sine))
    return torch.stack([rate, strength.clamp(max=1), torch.atan2(-sine, cosine) / (2 * math.pi) % 1], dim=1)


def _about(onsets: Tensor, counts: Tensor) -> Tensor:
    """Return the rates `(B,)` in Hz of the highest autocorrelation, of onsets `(B, frames)` that count or not."""
    n = onsets.shape[-1]
    onsets = (onsets.roll(1, -1) + 2 * onsets + onsets.roll(-1, -1)) / 4  # beats need not be whole frames apart
    products, pairs = (
        torch.fft.irfft(torch.fft.rfft(each, n=2 * n).abs().square())[..., :n] for each in (onsets, counts)
    )
    correlation = products / pairs.clamp(min=1)
    correlation = (correlation / correlation[:, :1].clamp(min=SMALLEST)).clamp(min=0)
    rates = FRAMES_A_SECOND / torch.arange(n, device=onsets.device).clamp(min=1)
    score = (1e6 * correlation).log1p() - 0.5 * ((60 * rates / USUAL).log2() / OCTAVES).square()
    within = (60 * rates >= RANGE[0]) & (60 * rates <= RANGE[1])
    if not within.any():  # too few frames to hear a beat
        return onsets.new_full((len(onsets),), USUAL / 60)
    return rates[score.masked_fill(~within, -torch.inf).argmax(1)]


def check_beat(beat: Tensor, n_clips: int) -> Tensor:
    """Return beats `(n_clips, 3)` in float32.

    Raises:
        ValueError: They have another shape, or a rate or a strength is out of its range.
    """
    low, high = (end / 60 for end in RANGE)
    if beat.shape != (n_clips, 3):
        raise ValueError(
            f"expected a rate, a strength and a phase for each of {n_clips} clips, got {tuple(beat.shape)}"
        )
    rate, strength = beat[:, 0], beat[:, 1]
    if not ((rate >= low - 1e-4) & (rate <= high + 1e-4) & (strength >= 0) & (strength <= 1)).all():
        raise ValueError(f"expected beats of {low:.2f} to {high:g} Hz and strengths from 0 to 1, got {beat.tolist()}")
    return beat.float()


def later(beat: Tensor, start: Tensor) -> Tensor:
    """Return the beats `(B, 3)` of what begins at the frames `start` `(B,)` of clips."""
    phase = (beat[:, 2] + beat[:, 0] * start.to(beat) / FRAMES_A_SECOND) % 1
    return torch.stack([beat[:, 0], beat[:, 1], phase], dim=1)


def beat_channels(beat: Tensor | None, n_clips: int, n_columns: int, patch: int, drop_mask: Tensor | None) -> Tensor:
    """Return the cosine and the sine of the phase times the strength, averaged over columns, `(n_clips, 2, n_columns)`.

    Args:
        beat: The beats `(n_clips, 3)`, of strength 0 where left out; None for none.
        n_clips: The number of clips.
        n_columns: The number of columns of patches.
        patch: The number of frames of a column.
        drop_mask: A bool mask `(n_clips,)`, True for clips whose beat is left out; None for no clip.
    """
    if beat is None:
        return torch.zeros(n_clips, 2, n_columns)
    rate, strength, phase = beat.float().T[..., None]
    time = torch.arange(n_columns * patch, device=beat.device) / FRAMES_A_SECOND
    angle = 2 * math.pi * (rate * time + phase)
    channels = (strength[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)).unflatten(-1, (-1, patch)).mean(-1)
    return channels if drop_mask is None else channels.masked_fill(drop_mask[:, None, None], 0)
