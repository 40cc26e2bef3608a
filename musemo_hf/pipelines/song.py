"""One generated song, with its audio, its spectrogram and the requested emotion; and the emotions that have names."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from musemo_hf.audio.loudness import write_playback
from musemo_hf.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PRESETS: dict[str, tuple[float, float]] = {
    "sad & calm": (-0.8, -0.6),
    "happy & energetic": (0.8, 0.7),
    "angry & tense": (-0.3, 0.8),
    "content & relaxed": (0.5, -0.5),
    "neutral": (0.0, 0.0),
}
"""The five published points of the plane, name to (valence, arousal).

Songs hardly reach four of them: of the 1,615 songs of DEAM 6, 4, 1 and 0 lie within 0.2 of them, in this order, and 298
within 0.2 of the neutral one. What a generator makes there is extrapolated.
"""

TYPICAL_PRESETS: dict[str, tuple[float, float]] = {
    "typical sad & calm": (-0.38, -0.58),
    "typical happy & energetic": (0.45, 0.40),
    "typical angry & tense": (-0.38, 0.46),
    "typical content & relaxed": (0.15, -0.38),
}
"""Points where songs are, name to (valence, arousal).

Each is the median of the quarter of a quadrant's songs in DEAM that lies farthest from the centre. Within 0.1 of them
lie 54, 51, 10 and 17 songs, in this order.
"""


@dataclass
class Song:
    """Contains a generated song.

    Attributes:
        audio: The samples `(samples,)`, float32, at their true loudness.
        sampling_rate: The sampling rate in Hz.
        spectrogram: The log-mel `(n_mels, n_frames)` in dB.
        valence: The requested valence in [-1, 1].
        arousal: The requested arousal in [-1, 1].
        seed: The seed that gives the same song again; None for a song between two seeds.
        hop_length: The number of samples between frames.
    """

    audio: np.ndarray
    sampling_rate: int
    spectrogram: np.ndarray
    valence: float
    arousal: float
    seed: int | None
    hop_length: int = 512

    def save(self, path: str | Path) -> Path:
        """Write the audio in the format of the path's suffix (wav, flac, ogg or mp3), whole or not at all.

        The audio is written at the one gain of all songs, 24 dB below its true loudness, because loudness is part of
        emotion; peaks beyond that are limited softly. The file names its gain, which `load_audio` undoes.

        Raises:
            ValueError: soundfile does not write that format.
            OSError: The disk is full, or the folder cannot be written to.
        """
        path = Path(path)
        ending = path.suffix.lstrip(".").upper()
        if ending not in soundfile.available_formats():
            raise ValueError(f"expected a path that ends in .wav, .flac, .ogg or .mp3, got {path.name!r}")
        try:
            with atomic_path(path) as part:
                write_playback(part, self.audio, self.sampling_rate, ending)
        except soundfile.SoundFileRuntimeError as error:  # how libsndfile says that the disk is full
            raise OSError(f"could not write {path}: {error}") from error
        return path

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the spectrogram over seconds and (mel-spaced) Hz, from -60 to 40 dB."""
        from musemo_hf.reporting.figures import draw_spectrogram

        title = f"valence {self.valence:+.2f}, arousal {self.arousal:+.2f}"
        return draw_spectrogram(self.spectrogram, axes, self.sampling_rate, self.hop_length, title=title)

    def __repr__(self) -> str:
        seconds = len(self.audio) / self.sampling_rate
        return f"Song(valence={self.valence:g}, arousal={self.arousal:g}, seed={self.seed}, {seconds:.1f} s)"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the picture of the spectrogram beside a player at the one gain of all songs."""
        import io

        from matplotlib.figure import Figure

        from musemo_hf.reporting.figures import to_data_uri, to_png

        buffer = io.BytesIO()
        write_playback(buffer, self.audio, self.sampling_rate, "WAV")
        figure = Figure(figsize=(7, 2.6), layout="constrained")
        self.plot(figure.add_subplot())
        picture = to_data_uri(to_png(figure, dpi=70), "image/png")
        return (
            '<div style="display: flex; flex-wrap: wrap; align-items: center; gap: 1em">'
            f'<img alt="Spectrogram of {self!r}" src="{picture}">'
            f'<audio controls src="{to_data_uri(buffer.getvalue(), "audio/wav")}"></audio></div>'
        )
