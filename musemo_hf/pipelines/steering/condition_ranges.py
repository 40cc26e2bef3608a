"""The ranges of conditions, for what answers before torch is loaded; a test compares `models.unet.conditions`."""

# condition -> (least value, greatest value, unit)
RANGES: dict[str, tuple[float, float, str]] = {
    "loudness": (-10, 50, "dB"),
    "brightness": (100, 4000, "Hz"),
    "tempo": (40, 240, "beats per minute"),
}


def range_of(condition: str) -> tuple[float, float, str]:
    """Return the least and the greatest value of a condition, and its unit."""
    return RANGES.get(condition, (-1, 1, ""))


def check_range(condition: str, value: float, shown: str | None = None) -> None:
    """Check a value of a condition.

    Args:
        condition: The name of the condition.
        value: The value in the unit of the condition.
        shown: What the condition is called in the message; None for its name.

    Raises:
        ValueError: The value is out of the range of the condition, or NaN.
    """
    low, high, unit = range_of(condition)
    if not low <= value <= high:  # also where NaN, which would leave the condition out
        within = f"from {low:g} to {high:g} {unit}".rstrip()
        raise ValueError(f"expected {shown or condition} {within}, got {value:g}")
