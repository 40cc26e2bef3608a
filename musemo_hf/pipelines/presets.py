"""The five published points of the valence-arousal plane, in a module that loads no library."""

PRESETS: dict[str, tuple[float, float]] = {
    "sad & calm": (-0.8, -0.6),
    "happy & energetic": (0.8, 0.7),
    "angry & tense": (-0.3, 0.8),
    "content & relaxed": (0.5, -0.5),
    "neutral": (0.0, 0.0),
}
