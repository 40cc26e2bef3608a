"""The packaged `evaluate` modules: one folder each, loadable as it stands and ready to be a Space."""

from pathlib import Path

METRICS = ("concordance_correlation", "spectrogram_quality")


def metric_path(name: str) -> str:
    """The folder of a packaged `evaluate` module, for `evaluate.load(metric_path(name))`.

    Args:
        name: "spectrogram_quality" or "concordance_correlation".

    Returns:
        The folder, absolute.

    Raises:
        ValueError: there is no such module.
    """
    if name not in METRICS:
        raise ValueError(f"expected a metric out of {', '.join(METRICS)}, got {name!r}")
    return str(Path(__file__).resolve().parent / name)
