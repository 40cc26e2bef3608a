"""Attacks on the metric: noise with more statistics of music than the surrogates have, and music without one property.

None of these is part of the reference scale or among the noises of the skill; modulation-v3 was designed with them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft, signal

from musemo_hf.evaluation.spaces.feature_groups import EDGE
from musemo_hf.evaluation.spaces.modulation import N_BANDS, N_OCTAVES
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.evaluation.surrogates.samplers import impose_powers

Clip = np.ndarray  # (n_mels, n_frames), dB


class Attacks:
    """Makes clips that are not music from the statistics of a reference and from real songs.

    Args:
        statistics: The statistics of the reference.
    """

    def __init__(self, statistics: ReferenceStatistics) -> None:
        self.n_mels = statistics.n_mels
        self.lag = statistics.within_lag()
        self._draw = statistics.profile().sampler()

    def real_innovations(self, song: Clip, other: Clip, rng: np.random.Generator) -> Clip:
        """Make noise: AR(1) driven by a song's steps in random order, all bands at once; drawn levels and spreads."""
        drawn = self._draw(rng)
        noise = self._innovations(song, rng)
        noise /= noise.std(axis=1, keepdims=True) + 1e-6
        return drawn[: self.n_mels, None] + np.exp(drawn[self.n_mels : 2 * self.n_mels, None]) * noise

    def matched_innovations(self, song: Clip, other: Clip, rng: np.random.Generator) -> Clip:
        """Make noise: the same with drawn modulation powers, tapered as in modulation-v3."""
        drawn = self._draw(rng)
        powers = drawn[-N_OCTAVES * N_BANDS :]
        return drawn[: self.n_mels, None] + impose_powers(self._innovations(song, rng), powers)

    def drum_machine(self, song: Clip, other: Clip, rng: np.random.Generator) -> Clip:
        """Make noise: a steady pulse of four decaying sounds with random spectra, and drawn modulation powers."""
        drawn, n_frames = self._draw(rng), song.shape[1]
        pulse = np.zeros(n_frames)
        period = int(rng.integers(8, 24))
        pulse[int(rng.integers(period)) :: period] = 1
        sounds = np.abs(1 + 2 * signal.lfilter([0.3], [1, -0.7], rng.standard_normal((4, self.n_mels)), axis=1))
        struck = sounds[rng.integers(4, size=n_frames)].T * pulse * rng.exponential(1, n_frames)
        noise = self._driven(struck + 0.1 * rng.standard_normal(struck.shape))
        return drawn[: self.n_mels, None] + impose_powers(noise, drawn[-N_OCTAVES * N_BANDS :])

    def real_ends(self, song: Clip, other: Clip, rng: np.random.Generator) -> Clip:
        """Make noise: drawn levels and modulation powers, with four frames of a song at either end."""
        drawn = self._draw(rng)
        levels, powers = drawn[: self.n_mels, None], drawn[-N_OCTAVES * N_BANDS :]
        noise = impose_powers(rng.standard_normal(song.shape), powers)
        centred = song - song.mean(axis=1, keepdims=True)
        noise[:, :EDGE], noise[:, -EDGE:] = centred[:, :EDGE], centred[:, -EDGE:]
        return levels + noise

    def random_phases(self, song: Clip, other: Clip, rng: np.random.Generator) -> Clip:
        """Strip a song: random phases, the same in all bands (Prichard & Theiler 1994); all spectra are kept."""
        spectrum = fft.rfft(song, axis=1)
        phases = rng.uniform(0, 2 * np.pi, spectrum.shape[1])
        phases[0] = 0
        return fft.irfft(spectrum * np.exp(1j * phases).astype(np.complex64), song.shape[1], axis=1)

    def random_phases_same_levels(self, song: Clip, other: Clip, rng: np.random.Generator) -> Clip:
        """Strip a song: the same, keeping each band's distribution of levels (Schreiber & Schmitz 1996), 8 rounds."""
        amplitude, levels = np.abs(fft.rfft(song, axis=1)), np.sort(song, axis=1)
        clip = self.random_phases(song, other, rng)
        for _ in range(8):
            phase = np.exp(1j * np.angle(fft.rfft(clip, axis=1)))
            ranks = fft.irfft(amplitude * phase, song.shape[1], axis=1).argsort(axis=1).argsort(axis=1)
            clip = np.take_along_axis(levels, ranks, axis=1)
        return clip

    def grains(self, song: Clip, other: Clip, rng: np.random.Generator) -> Clip:
        """Strip a song: tenths of a second from random places of the song."""
        starts = rng.integers(0, song.shape[1] - 5, song.shape[1] // 5 + 1)
        return song[:, (starts[:, None] + np.arange(5)).ravel()[: song.shape[1]]]

    def patchwork(self, song: Clip, other: Clip, rng: np.random.Generator) -> Clip:
        """Strip a song: its seconds alternate with those of another song."""
        turn = (np.arange(song.shape[1]) // 43) % 2
        return np.where(turn, song, other)

    def borrowed_phases(self, song: Clip, other: Clip, rng: np.random.Generator) -> Clip:
        """Make a hybrid: the modulation amplitudes of one song and the phases of another."""
        phase = np.angle(fft.rfft(other, axis=1))
        return fft.irfft(np.abs(fft.rfft(song, axis=1)) * np.exp(1j * phase), song.shape[1], axis=1)

    def _innovations(self, song: Clip, rng: np.random.Generator) -> Clip:
        centred = song - song.mean(axis=1, keepdims=True)
        unit = centred / np.maximum(centred.std(axis=1, keepdims=True), 0.1)
        steps = unit[:, 1:] - self.lag[:, None] * unit[:, :-1]
        return self._driven(steps[:, rng.integers(0, steps.shape[1], song.shape[1])])

    def _driven(self, innovations: Clip) -> Clip:
        rows = [signal.lfilter([1], [1, -lag], row) for lag, row in zip(self.lag, innovations, strict=True)]
        return np.stack(rows) - np.mean(rows, axis=1)[:, None]


NOISE_ATTACKS = ("real innovations", "matched innovations", "drum machine", "real ends")
STRIPPED = ("random phases", "random phases same levels", "grains", "patchwork")
HYBRIDS = ("borrowed phases",)


def attack_clips(name: str, attacks: Attacks, songs: np.ndarray, others: np.ndarray, seed: int = 0) -> np.ndarray:
    """Make the clips `(N, n_mels, n_frames)` (float32, dB) of one attack in the tuples above; song i gives clip i."""
    make: Callable[[Clip, Clip, np.random.Generator], Clip] = getattr(attacks, name.replace(" ", "_"))
    rngs = (np.random.default_rng((seed, index)) for index in range(len(songs)))
    clips = [make(song, other, rng) for song, other, rng in zip(songs, others, rngs, strict=True)]
    return np.stack(clips).astype(np.float32)
