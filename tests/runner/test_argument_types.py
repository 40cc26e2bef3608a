"""Numbers of a command line that are refused when they are parsed."""

import argparse

import pytest

from musemo_hf.runner.argument_types import real, whole


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (whole(), "1", 1),
        (whole(0), "0", 0),
        (real(), "0", 0.0),
        (real(0, 1), "1", 1.0),
        (real(above=True), "2e-4", 2e-4),
    ],
)
def test_numbers_in_their_range(parse, text, value):
    assert parse(text) == value
    assert type(parse(text)) is type(value)


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (whole(), "0", "expected a whole number of at least 1, got 0"),
        (whole(0), "-1", "expected a whole number of at least 0, got -1"),
        (whole(), "1.5", "expected a whole number of at least 1, got 1.5"),
        (whole(), "many", "expected a whole number of at least 1, got many"),
        (real(), "-0.1", "expected a number of at least 0, got -0.1"),
        (real(0, 1), "1.5", "expected a number from 0 to 1, got 1.5"),
        (real(above=True), "0", "expected a number above 0, got 0"),
        (real(), "nan", "expected a number of at least 0, got nan"),
        (real(), "inf", "expected a number of at least 0, got inf"),
        (real(), "far", "expected a number of at least 0, got far"),
    ],
)
def test_numbers_out_of_their_range(parse, text, message):
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse(text)
    assert str(caught.value) == message
