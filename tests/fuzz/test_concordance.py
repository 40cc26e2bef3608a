"""The concordance metric and its functions, on values of any kind."""

import json

import evaluate
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from musemo_hf.evaluation.statistics.concordance import concordance_correlation, concordance_report
from musemo_hf.metrics import metric_path

fuzz = settings(settings.get_profile("fuzz"))

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=4),
    st.binary(max_size=4),
    st.complex_numbers(),
    st.just(2**80),
    st.just(len),
)
NUMBERS = st.one_of(st.floats(-1, 1), st.floats(), st.integers(-(10**6), 10**6))
KINDS = st.sampled_from(["float16", "float32", "float64", "int64", "uint8", "bool", "complex128", "U2", "M8[s]"])
TENSOR_TYPES = [torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool, torch.complex64]
TENSORS = st.builds(
    lambda shape, kind, grad: (
        torch.linspace(0, 1, int(np.prod(shape)))
        .reshape(shape)
        .to(kind)
        .requires_grad_(grad and kind.is_floating_point)
    ),
    array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    st.sampled_from(TENSOR_TYPES),
    st.booleans(),
)
SIDES = st.one_of(
    st.lists(NUMBERS, max_size=6),
    st.lists(st.lists(NUMBERS, min_size=2, max_size=2), max_size=6),
    st.lists(st.one_of(NUMBERS, ODD, st.lists(NUMBERS, max_size=3), TENSORS), max_size=4),
    KINDS.flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))),
    TENSORS,
    ODD,
    st.dictionaries(st.text(max_size=2), NUMBERS, max_size=2),
)
PAIRS = st.one_of(
    st.tuples(SIDES, SIDES),
    SIDES.map(lambda side: (side, side)),
    arrays("float64", (6, 2), elements=st.floats(-1, 1)).map(lambda side: (side, side[::-1])),
)
LABELS = st.one_of(st.text(max_size=1), st.integers(0, 3), st.none(), st.floats(), st.lists(st.integers(), max_size=1))
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "groups": st.one_of(
            st.lists(LABELS, max_size=6), st.lists(st.sampled_from("abc"), min_size=6, max_size=6), ODD, TENSORS
        ),
        "confidence": st.one_of(st.floats(0, 1), ODD),
        "n_resamples": st.one_of(st.integers(-1, 20), ODD),
        "seed": st.one_of(st.integers(-1, 5), ODD),
        "level": st.just(0.9),
    },
)


def capped(options):
    """A huge number of draws is right, and takes its time."""
    return options | ({"n_resamples": 20} if options.get("n_resamples", 10_000) == 10_000 else {})


def check_report(report):
    assert isinstance(json.dumps(report), str)
    undefined = any(np.isnan(report[name]).any() for name in ("ccc", "pearson_r", "scale_ratio", "r2"))
    assert undefined == bool(report["notes"])
    for name in ("ccc", "pearson_r"):
        values = np.asarray(report[name])
        assert (np.isnan(values) | (np.abs(values) <= 1 + 1e-9)).all()


@pytest.fixture(scope="module")
def metric(tmp_path_factory):
    return evaluate.load(metric_path("concordance_correlation"), cache_dir=str(tmp_path_factory.mktemp("metric")))


@fuzz
@given(pair=PAIRS, options=OPTIONS)
def test_report(answer_or_error, pair, options):
    options = {name: value for name, value in capped(options).items() if name != "level"}
    report = answer_or_error(lambda: concordance_report(*pair, **options), ValueError)
    if report is not None:
        check_report(report)


@fuzz
@given(pair=PAIRS)
def test_coefficient(answer_or_error, pair):
    ccc = answer_or_error(lambda: concordance_correlation(*pair), ValueError)
    if ccc is not None:
        assert (np.isnan(ccc) | (np.abs(ccc) <= 1 + 1e-9)).all()


@fuzz
@given(
    batches=st.lists(st.tuples(st.sampled_from(["add", "add_batch", "plural"]), PAIRS), max_size=3),
    given=st.one_of(st.none(), PAIRS),
    options=OPTIONS,
)
def test_metric_in_batches(metric, answer_or_error, batches, given, options):
    error = r"expected .*got|Mismatch in the number"
    for how, (predictions, references) in batches:
        if how == "add_batch":
            call = {"predictions": predictions, "references": references}
            answer_or_error(lambda call=call: metric.add_batch(**call), ValueError, message=error)
        else:
            names = ("predictions", "references") if how == "plural" else ("prediction", "reference")
            call = dict(zip(names, (predictions, references), strict=True))
            answer_or_error(lambda call=call: metric.add(**call), ValueError, message=error)
    sides = {} if given is None else dict(zip(("predictions", "references"), given, strict=True))
    report = answer_or_error(lambda: metric.compute(**sides, **capped(options)), ValueError, message=error)
    if report is not None:
        check_report(report)
    # whatever came, the next use is as if nothing had been; what was added and not computed is taken up
    metric.add_batch(
        predictions=[[0.1, 0.2], [0.3, -0.4]], references=[[0.1, 0.1], [0.2, 0.3]]
    ) if metric.writer is None else None
    assert metric.compute()["n"] >= 1
