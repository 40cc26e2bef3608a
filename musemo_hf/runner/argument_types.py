"""Types of numbers on a command line, which refuse a value when it is parsed, before anything is loaded."""

import math
from argparse import ArgumentTypeError
from collections.abc import Callable


def whole(least: int = 1) -> Callable[[str], int]:
    """Return an argparse type for whole numbers of at least `least`, such as a count, or from 0 on a seed or a fold.

    Args:
        least: The least number.

    Returns:
        A function from text to number, which raises `argparse.ArgumentTypeError` for any other text.
    """

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < least:
            raise ArgumentTypeError(f"expected a whole number of at least {least}, got {text}")
        return number

    return parse


def real(least: float = 0.0, most: float = math.inf, above: bool = False) -> Callable[[str], float]:
    """Return an argparse type for finite numbers in a range.

    Args:
        least: The least number.
        most: The largest number.
        above: Whether the least number is left out itself.

    Returns:
        A function from text to number, which raises `argparse.ArgumentTypeError` for any other text.
    """
    wanted = f"{'above' if above else 'of at least'} {least:g}" if most == math.inf else f"from {least:g} to {most:g}"

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and least <= number <= most) or (above and number == least):
            raise ArgumentTypeError(f"expected a number {wanted}, got {text}")
        return number

    return parse
