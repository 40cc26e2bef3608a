"""Windows that cover a song."""

import numpy as np


def window_starts(n_samples: int, length: int, hop: float) -> np.ndarray:
    """Return the starts of evenly spaced windows, int `(n,)`, at most `hop` samples apart up to the end of the signal.

    Raises:
        ValueError: The hop is shorter than one sample.
    """
    if not hop >= 1:
        raise ValueError(f"expected a hop of at least one sample between windows, got {hop:g}")
    last = max(0, n_samples - length)
    return np.linspace(0, last, 1 + int(np.ceil(last / hop))).round().astype(int)
