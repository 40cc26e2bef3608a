"""Fuzzers: any input is answered, or refused by one error that says what was expected and what came.

`make test` runs a few examples of each fuzzer, always the same. `MUSEMO_FUZZ=long`, as `make reliability` sets it, runs
500, and others each time, `MUSEMO_FUZZ=20000` as many as it says; a failing example is printed with the code that
repeats it.
"""

import os
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

CHOSEN = os.environ.get("MUSEMO_FUZZ") or "short"
EXAMPLES = int({"short": "25", "long": "500"}.get(CHOSEN, CHOSEN))  # of each fuzzer
# a profile of its own name, since the default one belongs to all tests
settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=CHOSEN == "short",
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    database=None,
)


@pytest.fixture
def answer_or_error():
    """Return what a call returns, or None after an error of the given types that is a sentence."""

    def run(call: Callable[[], Any], *errors: type[Exception], message: str = r"expected .*(got|found)") -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return call()
            except errors as caught:
                error = caught
        assert re.search(message, str(error), re.DOTALL), f"{type(error).__name__}: {error}"
        return None

    return run
