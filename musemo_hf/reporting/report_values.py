"""The values of a report, each checked for its type."""

import math
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from typing import Any

MAX_TEXT = 1000  # characters of one text; the longest sentence of a finding has 400

Check = Callable[[Any], Any]  # returns the value in its type, or raises ValueError with what was expected


def number(value: Any) -> float | None:
    """Return a number as float; None for null, NaN and infinity."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a number")
    try:
        finite = float(value)
    except OverflowError:
        return None
    return finite if math.isfinite(finite) else None


def count(value: Any) -> int | None:
    """Return a whole number of at least 0; None for null."""
    if value is None:
        return None
    found = number(value)
    if found is None or found < 0 or found != int(found):
        raise ValueError("a whole number of at least 0")
    return int(found)


def text(value: Any) -> str | None:
    """Return a text, number or boolean as one line of at most 1,000 printable characters; None for null."""
    if value is None:
        return None
    if not isinstance(value, (str, int, float)):
        raise ValueError("a text")
    if not isinstance(value, (str, bool)) and number(value) is None:
        return None
    line = " ".join(str(value).split())
    shown = "".join(character for character in line if unicodedata.category(character) not in ("Cc", "Cf", "Cs"))
    return shown if len(shown) <= MAX_TEXT else f"{shown[:MAX_TEXT]} ..."


def interval(value: Any) -> tuple[float, float] | None:
    """Return the lower and the upper end; None for null, and where an end is null, NaN or infinity."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("two numbers [low, high]")
    low, high = number(value[0]), number(value[1])
    return None if low is None or high is None else (low, high)


def figure(value: Any) -> dict[str, Any]:
    """Return `value` and `interval` of a figure, which is a number or an object with both."""
    if isinstance(value, dict):
        return {"value": number(value.get("value")), "interval": interval(value.get("interval"))}
    return {"value": number(value), "interval": None}


def flag(value: Any) -> bool:
    """Return whether a caveat holds; what is no boolean counts as written, so that no caveat is lost."""
    return bool(value)


def listed(check: Check) -> Check:
    """Return the check of a list, whose wrong items are left out with a warning; one item alone is a list of one."""

    def checked(value: Any) -> list[Any]:
        items = value if isinstance(value, list) else [value]
        usable = [_usable(item, check, "a list's item") for item in items]
        return [item for item in usable if item is not None]

    return checked


def named(check: Check) -> Check:
    """Return the check of an object with any keys, whose wrong entries are left out with a warning."""

    def checked(value: Any) -> dict[str, Any]:
        usable = {text(str(name)): _usable(part, check, str(name)) for name, part in _object(value).items()}
        return {name: part for name, part in usable.items() if name and part is not None}

    return checked


def record(**checks: Check) -> Check:
    """Return the check of an object with known keys; each is there afterwards, None where it is missing or wrong."""

    def checked(value: Any) -> dict[str, Any]:
        parts = _object(value)
        return {name: _usable(parts.get(name), check, name) for name, check in checks.items()}

    return checked


def whole(check: Check) -> Check:
    """Return the check of an object that is used whole: every part has to be there, in its type and finite."""

    def checked(value: Any) -> Any:
        found = check(value)
        missing = list(_missing(found, ""))
        if missing:
            raise ValueError(f"whole, with {', '.join(missing)}")
        return found

    return checked


def _missing(value: Any, name: str) -> Iterator[str]:
    if value is None or value in ({}, [], ()):
        yield name
    elif isinstance(value, (dict, list, tuple)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _missing(part, f"{name}.{key}" if name else str(key))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("an object")
    return value


def _usable(value: Any, check: Check, name: str) -> Any:
    """Return a value as its check gives it; None for null, and with a warning where its type is wrong."""
    if value is None:
        return None
    try:
        return check(value)
    except ValueError as error:
        got = repr(value[:40]) if isinstance(value, str) else type(value).__name__
        warnings.warn(f"report: expected {name[:40]} to be {error}, got {got}; it is left out", stacklevel=2)
        return None
