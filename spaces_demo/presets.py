"""The five published points, in the order of the buttons.

A test keeps them equal to `musemo_hf.pipelines.emotion_to_music.PRESETS`. The page has its own copy so that it can
appear before torch and diffusers are imported.
"""

# name -> (valence, arousal)
PRESETS: dict[str, tuple[float, float]] = {
    "happy & energetic": (0.8, 0.7),
    "angry & tense": (-0.3, 0.8),
    "sad & calm": (-0.8, -0.6),
    "content & relaxed": (0.5, -0.5),
    "neutral": (0.0, 0.0),
}


def nearest_preset(valence: float, arousal: float) -> str:
    """Return the name of the preset closest to a point of the plane."""
    return min(PRESETS, key=lambda name: (PRESETS[name][0] - valence) ** 2 + (PRESETS[name][1] - arousal) ** 2)
