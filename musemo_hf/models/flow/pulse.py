"""The pulse of a clip, a rate and its contrasts, separated from the clip's changes over time."""

import math
from itertools import pairwise

import torch
from torch import Tensor

from .full_precision import FullPrecision
from .modulation_transform import octave_edges

PERIODS = (7, 43)  # frames, 0.16 s to 1 s at 43 frames a second: from fast strokes to slow beats
FINENESS = 0.4  # between candidate rates, the lines of the fastest changes move by this many widths
LINE_WIDTH = 2  # cosine coefficients from the middle of a line to its end: neighbours ring where a clip is cut
LARGEST = 4.0  # logarithm of a power, 17 dB
TINY = 1e-12


class Pulse(FullPrecision):
    """Removes the steady pulse of a clip, and applies any pulse.

    Music keeps time: the spectrum of its changes over time has lines at the multiples of one rate, up to 17 dB above
    what lies between them. Noise, and a small network that sees patches of a clip, have none. The rate is the one
    whose lines stand out most (a bank of combs, as in Scheirer 1998, over the spectrum instead of the envelope). The
    contrasts are the logarithms of how far they stand out, by least squares, in each group of bands and each octave of
    the rate of change. A clip without a pulse has contrasts about as small as those of noise.

    Args:
        n_mels: The number of mel bands.
        n_frames: The number of frames of a clip, and of its cosine coefficients. Clips of under two of the longest
            periods have no pulse; `size` is then 0.
        n_groups: The number of groups of neighbouring bands, a divisor of `n_mels`; 0 for no pulse.
    """

    combs: Tensor
    rates: Tensor

    def __init__(self, n_mels: int, n_frames: int, n_groups: int) -> None:
        super().__init__()
        self.n_groups, self.n_frames = n_groups, n_frames
        slowest, fastest = (2 * n_frames / period for period in reversed(PERIODS))  # in coefficients
        spans = list(pairwise(octave_edges(n_frames)))
        # from the octave on that the slowest beat is in
        self.octaves = [(start, stop) for start, stop in spans if stop > slowest and stop - start > 4 * LINE_WIDTH]
        if not n_groups or n_frames < 2 * PERIODS[1]:
            self.octaves = []
        self.size = 1 + n_groups * len(self.octaves) if self.octaves else 0
        # a rate that is wrong by one part in n moves its line at the highest coefficient by n_frames / n
        n_rates = math.ceil(math.log(fastest / slowest) * n_frames / (FINENESS * LINE_WIDTH))
        rates = torch.linspace(math.log(slowest), math.log(fastest), n_rates)
        self.register_buffer("rates", rates, persistent=False)
        self.register_buffer("combs", self._comb(rates), persistent=False)

    def split(self, changes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pulse `(B, size)` of cosine coefficients over time `(B, n_mels, n_frames)`, and these without it.

        The pulse is the logarithm of the rate, in coefficients, followed by the contrasts, octave by octave in each
        group of bands. Contrasts are limited to `LARGEST`; what exceeds it stays in the coefficients.
        """
        if not self.size:
            return changes.new_zeros(len(changes), 0), changes
        powers = self._log_powers(changes)
        overall = self._centred(powers.mean(dim=1))
        combs = self._centred(self.combs)
        found = (overall @ (combs / combs.norm(dim=1, keepdim=True).clamp(min=TINY)).T).argmax(dim=1)
        rate = self.rates[found]
        contrast = self._contrasts(powers, rate).clamp(-LARGEST, LARGEST)
        return torch.cat([rate[:, None], contrast.flatten(1)], dim=1), self._stretch(changes, rate, -contrast)

    def join(self, pulse: Tensor, changes: Tensor) -> Tensor:
        """Invert `split`, for changes of any contrast, which is replaced."""
        if not self.size:
            return changes
        rate = pulse[:, 0].clamp(self.rates[0], self.rates[-1])
        wanted = pulse[:, 1:].unflatten(1, (self.n_groups, len(self.octaves))).clamp(-LARGEST, LARGEST)
        present = self._contrasts(self._log_powers(changes), rate)
        return self._stretch(changes, rate, wanted - present)

    def _comb(self, rate: Tensor) -> Tensor:
        """Return combs `(R, n_frames)` with lines at the multiples of rates `(R,)`, 1 in the middle of a line."""
        coefficient = torch.arange(self.n_frames, device=rate.device)
        multiple = rate.exp()[:, None]
        distance = (coefficient - multiple * (coefficient / multiple).round().clamp(min=1)).abs()
        return (1 - distance / LINE_WIDTH).clamp(min=0)

    def _log_powers(self, changes: Tensor) -> Tensor:
        """Return the log power of each coefficient in each group of bands, `(B, n_groups, n_frames)`."""
        return changes.square().unflatten(1, (self.n_groups, -1)).mean(dim=2).clamp(min=TINY).log()

    def _centred(self, values: Tensor) -> Tensor:
        """Subtract the mean of each octave from values `(..., n_frames)`, which become 0 outside octaves."""
        centred = torch.zeros_like(values)
        for start, stop in self.octaves:
            part = values[..., start:stop]
            centred[..., start:stop] = part - part.mean(dim=-1, keepdim=True)
        return centred

    def _contrasts(self, powers: Tensor, rate: Tensor) -> Tensor:
        """Return how far the lines stand out, `(B, n_groups, n_octaves)`: the slope of log powers on the comb."""
        comb = self._centred(self._comb(rate))[:, None]
        parts = [slice(*octave) for octave in self.octaves]
        shared = torch.stack([(powers[..., part] * comb[..., part]).sum(dim=-1) for part in parts], dim=-1)
        own = torch.stack([comb[..., part].square().sum(dim=-1) for part in parts], dim=-1)
        # an octave in which no line falls has no contrast
        return torch.where(own > 0.5, shared / own.clamp(min=0.5), torch.zeros_like(shared))

    def _stretch(self, changes: Tensor, rate: Tensor, contrast: Tensor) -> Tensor:
        """Raise the log power of the lines by `contrast` `(B, n_groups, n_octaves)`."""
        comb = self._comb(rate)[:, None]
        gains = torch.zeros_like(comb).expand(-1, self.n_groups, -1).clone()
        for index, (start, stop) in enumerate(self.octaves):
            gains[..., start:stop] = contrast[..., index, None] * comb[..., start:stop]
        scales = (gains / 2).exp().repeat_interleave(changes.shape[1] // self.n_groups, dim=1)
        return changes * scales
