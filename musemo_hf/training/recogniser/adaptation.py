"""Fine-tuning of a recogniser on a few songs with labels of one's own, in closed form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.audio.samples import SILENT
from musemo_hf.data.deam.excerpts import TOLERANCE, TooShortError
from musemo_hf.data.folds import artist_groups
from musemo_hf.data.song_names import song_names
from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.pipelines.song_files import UNREADABLE, why

MOST_WINDOWS = 3  # of a song, evenly spaced: neighbouring windows sound alike
LEAST_SONGS = 8


@dataclass(frozen=True)
class Adaptation:
    """The result of `adapt_recogniser`.

    Attributes:
        labels: The given emotions `(N, 2)`, (valence, arousal) in [-1, 1].
        before: The predictions `(N, 2)` of the recogniser as it was.
        after: The predictions `(N, 2)`, each as if the songs of its artist had not been learnt.
        artists: The artist of each song; a song without a known artist counts as an artist of its own.
        skipped: The reasons why songs were left out, by file.
    """

    labels: np.ndarray
    before: np.ndarray
    after: np.ndarray
    artists: list[str]
    skipped: dict[str, str] = field(default_factory=dict)

    def agreement(self) -> dict[str, dict[str, Any]]:
        """Return the `concordance_report` of `before` and `after` with the labels, with 95 % intervals over artists."""
        sides = {"before": self.before, "after": self.after}
        return {
            name: concordance_report(predicted, self.labels, self.artists, confidence=0.95)
            for name, predicted in sides.items()
        }


def adapt_recogniser(
    model: MusemoViTForEmotionRegression, extractor: MusemoFeatureExtractor, songs: Mapping[Path, tuple[float, float]]
) -> Adaptation:
    """Fine-tune a recogniser by kernel regression without a network, which is changed in place.

    The songs that it was fitted to stay; what it gets wrong about the new songs is learnt by one more regression, see
    `KernelMixture.adapt`. The error of its intervals (`emotion_error`) grows to that of the new songs where it is less.

    Args:
        model: The recogniser, such as the packaged one.
        extractor: The feature extractor of the recogniser.
        songs: The (valence, arousal) in [-1, 1] of each file.

    Raises:
        ValueError: The recogniser has a network or an external embedder; or fewer than 8 songs, or songs of only one
            artist, can be read.
    """
    if model.config.network or model.config.embedder is not None or not model.config.kernel_clips:
        raise ValueError("expected a fitted recogniser without a network and without an embedder, got another")
    windows: list[torch.Tensor] = []
    read: list[Path] = []
    artists: list[str] = []
    skipped: dict[str, str] = {}
    for path in tqdm(songs, "reading songs", unit=" songs", disable=None):
        try:
            windows.append(_windows(path, extractor))
            artists.append(song_names(path).artist)
            read.append(path)
        except UNREADABLE as error:
            skipped[path.name] = why(path, error)
    if len(read) < LEAST_SONGS:
        reasons = "".join(f"; {name}: {reason}" for name, reason in list(skipped.items())[:3])
        raise ValueError(f"expected at least {LEAST_SONGS} songs that can be read, got {len(read)}{reasons}")
    groups = artist_groups(artists)
    labels = np.array([songs[path] for path in read])
    before, after = _learn(model, windows, labels, groups)
    missed = np.sqrt(np.square(after - labels).mean(axis=0))
    model.config.emotion_error = np.maximum(missed, model.config.emotion_error or 0).round(4).tolist()
    return Adaptation(labels, before, after, groups, skipped)


def _learn(
    model: MusemoViTForEmotionRegression, windows: list[torch.Tensor], labels: np.ndarray, groups: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Add the windows of all songs to the regression, and return the predictions of songs before and after."""
    kernel: Any = model.kernel
    counts = [len(part) for part in windows]
    numbers = np.unique(groups, return_inverse=True)[1]
    with torch.no_grad():
        parts = [kernel.standardised(part.to(model.device), None) for part in windows]
        standardised = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        before = kernel.regress(standardised)
        emotion = torch.from_numpy(np.repeat(labels, counts, axis=0))
        after = kernel.adapt(standardised, emotion, np.repeat(numbers, counts).tolist())
    model.config.kernel_clips += sum(counts)
    ends = np.cumsum(counts)[:-1]
    before, after = (
        np.stack([part.mean(axis=0) for part in np.split(each.clamp(-1, 1).cpu().double().numpy(), ends)])
        for each in (before, after)
    )
    return before, after


def _windows(path: Path, extractor: MusemoFeatureExtractor) -> torch.Tensor:
    """Return the normalised log-mels `(n, 1, n_mels, n_frames)` of windows of a song."""
    loaded = extractor.load(path)
    if loaded.duration < extractor.seconds - TOLERANCE:
        raise TooShortError(f"expected at least {extractor.seconds:.3g} s, got {loaded.duration:.2f} s")
    if SILENT in loaded.notes:
        raise ValueError(SILENT)
    length = extractor.settings.n_samples(extractor.n_frames)
    starts = evenly_spaced(extractor.window_starts(len(loaded.samples)), MOST_WINDOWS)
    clips = [loaded.samples[start : start + length] for start in starts]
    return extractor(clips, sampling_rate=extractor.sampling_rate)["spectrogram"]
