"""Measured values as text."""

import math
from collections.abc import Sequence

UNDEFINED = "not defined"


def with_interval(
    value: float | None, interval: Sequence[float | None] | None = None, digits: int = 2, sign: str = ""
) -> str:
    """Format a value with its interval, such as "0.72 [0.69, 0.74]".

    Args:
        value: The value; None and NaN give "not defined".
        interval: The lower and the upper end; they are left out where one of them is None or not finite.
        digits: The number of decimal places.
        sign: "+" to show the sign of positive numbers too.
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    ends = [end for end in interval or () if end is not None and math.isfinite(end)]
    shown = [f"{number:{sign}.{digits}f}" for number in (value, *ends)]
    return shown[0] if len(ends) < 2 else f"{shown[0]} [{shown[1]}, {shown[2]}]"
