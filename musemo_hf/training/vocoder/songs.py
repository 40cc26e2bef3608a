"""The audio that a vocoder is trained on: songs of a DEAM folder without some folds, and of other folders."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from musemo_hf.audio.decoding import AudioDecodingError, read_audio
from musemo_hf.audio.mel import MelSettings, log_mel, normalise
from musemo_hf.data.deam.layout import AUDIO_SUFFIXES, find_deam
from musemo_hf.data.deam.songs import list_songs

SETTINGS = MelSettings()
MARGIN = SETTINGS.n_fft // 2 // SETTINGS.hop_length  # frames whose window reaches beyond the samples of a crop


def song_files(deam: str | Path | None, held_out: Sequence[int], folders: Iterable[str | Path] = ()) -> list[Path]:
    """Return the files of the songs.

    Args:
        deam: The folder of DEAM; None for none.
        held_out: The artist-disjoint folds of DEAM that are left out.
        folders: Other folders of audio files, all of which are used.

    Raises:
        ValueError: There are no songs, a fold does not exist, or a fold is named without DEAM.
    """
    files = []
    if deam is None and held_out:
        raise ValueError(f"expected the folder of DEAM with a held-out fold, got none and {list(held_out)}")
    if deam is not None:
        songs = list_songs(find_deam(deam))[0]
        if unknown := sorted(set(held_out) - (known := {song.fold for song in songs})):
            raise ValueError(f"expected folds out of {sorted(known)}, got {unknown}")
        files += [song.path for song in songs if song.fold not in held_out]
    for folder in folders:
        files += sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    if not files:
        raise ValueError("expected songs in a folder of DEAM or another folder, found none")
    return files


def read_waveforms(files: Sequence[Path], shortest: float) -> list[np.ndarray]:
    """Read songs as int16 samples at 22,050 Hz, which halve the memory of float32.

    Args:
        files: The audio files. Those that are damaged or too short are left out.
        shortest: The shortest duration in s.

    Raises:
        ValueError: No song is left.
    """
    waveforms = []
    for path in files:
        try:
            samples = read_audio(path, SETTINGS.sampling_rate)
        except AudioDecodingError:
            continue
        if len(samples) >= shortest * SETTINGS.sampling_rate:
            waveforms.append((samples.clip(-1, 1) * 32767).round().astype(np.int16))
    if not waveforms:
        raise ValueError(f"expected songs of at least {shortest:.2f} s, found none among {len(files)} files")
    return waveforms


def crop(waveform: np.ndarray, place: float, n_frames: int) -> Tensor:
    """Return the samples of a crop with what its first and last windows reach, float32 `(samples,)` in [-1, 1].

    Args:
        waveform: The int16 samples of a song.
        place: The place of the crop in [0, 1), from the first to the last that the song has.
        n_frames: The number of frames.
    """
    length = (n_frames + 2 * MARGIN) * SETTINGS.hop_length
    start = int(place * (len(waveform) - length + 1))
    return torch.from_numpy(waveform[start : start + length].astype(np.float32) / 32767)


def pairs(crops: Tensor) -> tuple[Tensor, Tensor]:
    """Return the normalised log-mels `(B, 128, n_frames)` and the samples `(B, n_frames * hop_length)` of crops.

    The log-mels are those of the whole song: no window of theirs reaches beyond the crop.
    """
    mel = normalise(log_mel(crops))[..., MARGIN : -MARGIN - 1]
    inside = slice(MARGIN * SETTINGS.hop_length, -MARGIN * SETTINGS.hop_length)
    return mel, crops[:, inside]
