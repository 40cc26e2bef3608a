"""The five published points and the four where songs are, in the order of the buttons.

A test keeps them equal to `PRESETS` and `TYPICAL_PRESETS` of `musemo_hf.pipelines.song`, whose order is another.
"""

# name -> (valence, arousal)
PRESETS: dict[str, tuple[float, float]] = {
    "happy & energetic": (0.8, 0.7),
    "angry & tense": (-0.3, 0.8),
    "sad & calm": (-0.8, -0.6),
    "content & relaxed": (0.5, -0.5),
    "neutral": (0.0, 0.0),
}
TYPICAL_PRESETS: dict[str, tuple[float, float]] = {
    "typical happy & energetic": (0.45, 0.40),
    "typical angry & tense": (-0.38, 0.46),
    "typical sad & calm": (-0.38, -0.58),
    "typical content & relaxed": (0.15, -0.38),
}
POINTS = PRESETS | TYPICAL_PRESETS


def nearest_preset(valence: float, arousal: float) -> str:
    """Return the name of the preset closest to a point of the plane."""
    return min(PRESETS, key=lambda name: (PRESETS[name][0] - valence) ** 2 + (PRESETS[name][1] - arousal) ** 2)
