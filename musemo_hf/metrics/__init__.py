"""The packaged `evaluate` modules: one folder each, loadable as it is and ready to be a Space."""

from pathlib import Path

METRICS = ("concordance_correlation", "spectrogram_quality")


def metric_path(name: str) -> str:
    """Return the folder of a packaged `evaluate` module, for `evaluate.load(metric_path(name))`.

    Args:
        name: The name of the module, "spectrogram_quality" or "concordance_correlation".

    Returns:
        The absolute path of the folder.

    Raises:
        ValueError: There is no such module.
    """
    if name not in METRICS:
        raise ValueError(f"expected a metric out of {', '.join(METRICS)}, got {name!r}")
    return str(Path(__file__).resolve().parent / name)
