"""The first frames of clips that fade in, as most excerpts of songs do."""

from dataclasses import replace

from .clips import Clips


def without_fade(clips: Clips, n_frames: int) -> Clips:
    """Replace the first frames of clips by those after them, in reverse order.

    Args:
        clips: The clips.
        n_frames: The number of frames, at most half of those of a clip.

    Raises:
        ValueError: The clips are too short.
    """
    if 2 * n_frames > (total := clips.spectrogram.shape[-1]):
        raise ValueError(f"expected clips of at least {2 * n_frames} frames for fade_frames {n_frames}, got {total}")
    spectrogram = clips.spectrogram.clone()
    spectrogram[..., :n_frames] = clips.spectrogram[..., n_frames : 2 * n_frames].flip(-1)
    return replace(clips, spectrogram=spectrogram)


def fade_of(clips: Clips, n_frames: int) -> list[float]:
    """Return how much each of the first frames is below what `without_fade` puts in its place, on average.

    Args:
        clips: The clips.
        n_frames: The number of frames, see `without_fade`.

    Returns:
        The differences on the normalised scale, `n_frames` of them.
    """
    first, without = clips.spectrogram[..., :n_frames], without_fade(clips, n_frames).spectrogram[..., :n_frames]
    return (first - without).mean(dim=(0, 1, 2)).tolist()
