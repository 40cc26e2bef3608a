"""Figures and pictures of generated sound: the five presets against real songs of the same quadrant."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import librosa
import numpy as np
from librosa.onset import onset_detect
from matplotlib.figure import Figure
from numpy.typing import NDArray

from musemo_hf.audio.griffin_lim import griffin_lim
from musemo_hf.audio.inversion import mel_to_magnitude
from musemo_hf.audio.mel import MelSettings
from musemo_hf.data.arrays import SongArrays
from musemo_hf.pipelines.emotion_to_music import PRESETS, MusemoPipeline
from musemo_hf.reporting.figures import spectrogram_grid

MIDDLE = (0.1, 0.9)  # quantiles of the reference range, the middle 80 % of real songs
NEUTRAL = 0.25  # largest distance from the origin of songs of the neutral preset
DUPLICATE_DB = 0.5  # a column repeats the one before if it differs by less on average
FEWEST = 5  # songs of a quadrant that a range needs
TITLES = {
    "loudness": "loudness, mean dB",
    "brightness": "brightness, spectral centroid in Hz",
    "tempo": "tempo, BPM",
    "onset_rate": "onsets a second",
    "convergence": "spectral convergence of the inversion",
    "lag_correlation": "correlation of adjacent columns",
    "repeated_columns": "share of repeated columns",
    "checkerboard": "checkerboard, dB over its surroundings",
}


def describe(decibels: NDArray, settings: MelSettings = MelSettings(), n_iter: int = 32) -> dict[str, float]:  # noqa: B008
    """Measure the sound and the look of a log-mel.

    Args:
        decibels: The log-mel in dB `(128, n_frames)`.
        settings: The settings of the log-mel.
        n_iter: The number of Griffin-Lim iterations before the convergence is measured.

    Returns:
        `loudness` (mean dB), `brightness` (power-weighted mean frequency, Hz), `tempo` (BPM) and `onset_rate` (a
        second) by librosa, `convergence` (||STFT of the audio| - magnitude| / |magnitude|, 0 is exact),
        `lag_correlation` (Pearson, of each column and the next), `repeated_columns` (share), `checkerboard`.
    """
    clip = np.clip(decibels, settings.min_db, settings.max_db).astype(np.float64)
    frames_a_second = settings.sampling_rate / settings.hop_length
    power = 10 ** (clip / 10)
    centres = librosa.mel_frequencies(settings.n_mels + 2, fmin=0, fmax=settings.sampling_rate / 2)[1:-1]
    envelope = np.maximum(np.diff(clip, axis=1, prepend=clip[:, :1]), 0).mean(axis=0)
    options: dict[str, Any] = {
        "onset_envelope": envelope,
        "sr": settings.sampling_rate,
        "hop_length": settings.hop_length,
    }
    changes = np.abs(np.diff(clip, axis=1)).mean(axis=0)
    return {
        "loudness": float(clip.mean()),
        "brightness": float((power * centres[:, None]).sum() / power.sum()),
        "tempo": float(librosa.feature.tempo(**options)[0]),
        "onset_rate": len(onset_detect(**options)) / (clip.shape[1] / frames_a_second),
        "convergence": convergence(clip, settings, n_iter),
        "lag_correlation": _correlation(clip[:, :-1], clip[:, 1:]),
        "repeated_columns": float((changes < DUPLICATE_DB).mean()),
        "checkerboard": checkerboard(clip),
    }


def _correlation(first: NDArray, second: NDArray) -> float:
    if first.std() < 1e-9 or second.std() < 1e-9:
        return float("nan")
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def convergence(decibels: NDArray, settings: MelSettings, n_iter: int) -> float:
    """Measure the spectral convergence of the inversion (Sturmel & Daudet 2011); 0 is exact."""
    import torch

    magnitude = mel_to_magnitude(torch.from_numpy(decibels.astype(np.float32))[None], settings)
    audio = griffin_lim(magnitude, settings, n_iter)[0].numpy()
    rebuilt = np.abs(librosa.stft(audio, n_fft=settings.n_fft, hop_length=settings.hop_length, pad_mode="constant"))
    wanted = magnitude[0].numpy()
    n_frames = min(rebuilt.shape[1], wanted.shape[1])
    error = np.linalg.norm(rebuilt[:, :n_frames] - wanted[:, :n_frames])
    return float(error) / max(float(np.linalg.norm(wanted[:, :n_frames])), 1e-12)


def checkerboard(decibels: NDArray) -> float:
    """Measure the checkerboard pattern of upsampling in dB (Odena et al. 2016).

    A network that doubles its resolution leaves patterns of period 2, 4 and 8 in time and in frequency: single points
    of the two-dimensional spectrum. The power of each point is compared with the median of the bins around it.

    Args:
        decibels: The log-mel in dB `(n_mels, n_frames)`; frames beyond a multiple of 16 are left out.

    Returns:
        The largest ratio in dB; about 5 to 12 in noise.
    """
    clip = decibels[:, : decibels.shape[1] // 16 * 16]
    window = np.hanning(clip.shape[0])[:, None] * np.hanning(clip.shape[1])
    power = np.square(np.abs(np.fft.fft2((clip - clip.mean()) * window)))
    around = np.arange(-5, 6)
    ring = np.maximum(*np.abs(np.meshgrid(around, around))) >= 3  # the window spreads a point over its neighbours
    highest = 0.0
    for row, column in product((0, 2, 4, 8), repeat=2):
        if row == column == 0:
            continue
        lines = [length // divisor if divisor else 0 for length, divisor in zip(clip.shape, (row, column), strict=True)]
        patch = power[np.ix_((lines[0] + around) % clip.shape[0], (lines[1] + around) % clip.shape[1])]
        highest = max(highest, float(patch[5, 5] / max(np.median(patch[ring]), 1e-12)))
    return 10 * float(np.log10(max(highest, 1e-12)))


def songs_of(preset: tuple[float, float], emotion: NDArray) -> NDArray:
    """Return the indices of the songs in a preset's quadrant, or near the origin for the neutral preset.

    Args:
        preset: The (valence, arousal) of the preset.
        emotion: The emotions of the songs `(N, 2)`.
    """
    if preset == (0.0, 0.0):
        return np.flatnonzero(np.linalg.norm(emotion, axis=1) < NEUTRAL)
    return np.flatnonzero((np.sign(emotion) == np.sign(preset)).all(axis=1))


def examine_sound(
    pipeline: MusemoPipeline, songs: SongArrays, seeds: Sequence[int] = range(4), n_real: int = 40
) -> dict[str, Any]:
    """Compare the five presets, with several seeds each, with real songs of the same quadrant.

    Args:
        pipeline: The pipeline that renders the presets.
        songs: The real songs, preferably outside the training set.
        seeds: The seeds of the generated clips.
        n_real: The largest number of songs of a quadrant, which are evenly spaced.

    Returns:
        For each preset `n_real`, `n_generated` and `figures`: the mean `generated` over seeds, the ends `low` and
        `high` of the middle 80 % of real songs, and `within` (None with fewer than 5 songs).
    """
    report = {}
    for name, preset in PRESETS.items():
        index = songs_of(preset, songs.emotion)
        index = index[np.linspace(0, len(index) - 1, min(n_real, len(index))).round().astype(int)]
        valence, arousal = (len(seeds) * [value] for value in preset)
        made = pipeline(valence, arousal, seed=list(seeds)).songs
        generated = [describe(song.spectrogram) for song in made]
        real = [describe(songs.spectrogram[i]) for i in index]
        figures = {title: _against([row[title] for row in generated], [row[title] for row in real]) for title in TITLES}
        report[name] = {"figures": figures, "n_real": len(real), "n_generated": len(generated)}
    return report


def _against(generated: list[float], real: list[float]) -> dict[str, Any]:
    value = float(np.mean(generated))
    if len(real) < FEWEST:
        return {"generated": value, "low": None, "high": None, "within": None}
    low, high = (float(end) for end in np.quantile(real, MIDDLE))
    return {"generated": value, "low": low, "high": high, "within": bool(low <= value <= high)}


def sound_table(report: dict[str, Any]) -> str:
    """Write the examination as a Markdown table, with the middle 80 % of real songs in brackets."""
    presets = list(report)
    lines = [f"| | {' | '.join(presets)} |", f"|---|{'---|' * len(presets)}"]
    for name, title in TITLES.items():
        cells = [_cell(report[preset]["figures"][name]) for preset in presets]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    counts = [f"{report[preset]['n_generated']} / {report[preset]['n_real']}" for preset in presets]
    return "\n".join([*lines, f"| clips: generated / real | {' | '.join(counts)} |"]) + "\n"


def _cell(figure: dict[str, Any]) -> str:
    if figure["within"] is None:
        return f"{figure['generated']:.4g} (too few songs)"
    return f"{figure['generated']:.4g} [{figure['low']:.4g}, {figure['high']:.4g}]" + (
        "" if figure["within"] else " **outside**"
    )


def sound_picture(pipeline: MusemoPipeline, songs: SongArrays, seeds: Sequence[int] = (0, 1)) -> Figure:
    """Draw the clips of the five presets below the real song of the nearest emotion."""
    points = np.array(list(PRESETS.values()))
    nearest = np.linalg.norm(songs.emotion[None] - points[:, None], axis=-1).argmin(axis=1)
    rows = {"real": [songs.spectrogram[index] for index in nearest]}
    for seed in seeds:
        made = pipeline(points[:, 0].tolist(), points[:, 1].tolist(), seed=[seed] * len(points)).songs
        rows[f"seed {seed}"] = [song.spectrogram for song in made]
    return spectrogram_grid(rows, list(PRESETS))
