"""The feature extractor, on values of any kind."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from musemo_hf import MusemoFeatureExtractor

fuzz = settings(settings.get_profile("fuzz"))

NUMBERS = st.one_of(st.integers(), st.floats(width=32), st.booleans(), st.none(), st.complex_numbers())
SCALARS = st.one_of(NUMBERS, st.text(max_size=5), st.binary(max_size=5), st.just(2**80), st.just(object))
DTYPES = st.sampled_from(["float16", "float32", "float64", "int16", "uint8", "bool", "complex64", "U3", "O", "M8[s]"])
SHAPES = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)
ARRAYS = DTYPES.flatmap(lambda kind: st.just(kind) if kind == "O" else arrays(kind, SHAPES)).map(
    lambda value: np.array([None, 0.1, "x"], dtype=object) if isinstance(value, str) else value
)
TENSOR_TYPES = [torch.float32, torch.bfloat16, torch.float16, torch.int16, torch.bool, torch.complex64]
TENSORS = st.builds(
    lambda shape, kind, grad: torch.ones(shape, dtype=kind).requires_grad_(grad and kind.is_floating_point),
    array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6),
    st.sampled_from(TENSOR_TYPES),
    st.booleans(),
)
ANYTHING = st.recursive(
    st.one_of(SCALARS, ARRAYS, TENSORS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.sampled_from(["array", "raw", "path", "bytes", "sampling_rate"]), inner, max_size=3),
    ),
    max_leaves=6,
)


def sound(n, channels, kind, gain, step):
    """Sound that is right, but for properties that may be wrong."""
    with np.errstate(all="ignore"):
        return (np.sin(np.arange(n * channels)).reshape(n, channels) * gain).astype(kind)[::step]


SOUND = st.builds(
    sound,
    st.sampled_from([0, 1, 511, 512, 3000]),
    st.sampled_from([1, 2, 3, 70]),
    st.sampled_from(["float16", "float32", "float64", "int16", "longdouble"]),
    st.sampled_from([0.3, 1, 32767, np.nan, np.inf, 1e-30]),
    st.sampled_from([1, -1, 2]),
)
RATES = st.one_of(st.sampled_from([22050, 44100.0, "44100", 44.1, 0, -1, torch.tensor(16000), np.int64(8000)]), SCALARS)


@pytest.fixture(scope="module")
def extractor():
    return MusemoFeatureExtractor(n_frames=8)


@fuzz
@given(audio=st.one_of(ANYTHING, SOUND), rate=RATES, kind=st.one_of(st.sampled_from(["pt", "np", None]), SCALARS))
def test_audio(extractor, answer_or_error, audio, rate, kind):
    batch = answer_or_error(
        lambda: extractor(audio, sampling_rate=rate, return_tensors=kind), ValueError, FileNotFoundError
    )
    if batch is not None:
        values = np.asarray(batch["spectrogram"])
        assert values.shape[1:] == (1, 128, 8)
        assert (np.abs(values) <= 1).all()


@fuzz
@given(sound=SOUND, rate=st.sampled_from([8000, 22050, "44100"]))
def test_sound_that_is_right_but_for_one_property(extractor, answer_or_error, sound, rate):
    batch = answer_or_error(lambda: extractor(sound, sampling_rate=rate), ValueError)
    assert batch is None or torch.isfinite(batch["spectrogram"]).all()


@fuzz
@given(values=ANYTHING)
def test_scales(extractor, answer_or_error, values):
    for convert in (extractor.to_decibels, extractor.from_decibels):
        answer = answer_or_error(lambda convert=convert: convert(values), ValueError)
        assert answer is None or isinstance(answer, torch.Tensor)


MELS = st.builds(
    lambda shape, value: np.full(shape, value, dtype=np.float32),
    st.sampled_from(
        [(128, 5), (1, 128, 5), (2, 1, 128, 5), (1, 128, 1), (0, 128, 5), (128, 0), (5, 128), (1, 2, 128, 5)]
    ),
    st.sampled_from([0.0, -1.0, 1.2, -60.0, np.nan, np.inf]),
)


@fuzz
@given(
    values=st.one_of(MELS, ANYTHING),
    n_iter=st.one_of(st.integers(0, 2), SCALARS),
    seed=st.one_of(st.integers(0), SCALARS),
)
def test_inversion(extractor, answer_or_error, values, n_iter, seed):
    if isinstance(n_iter, int) and n_iter > 2:
        n_iter = -n_iter  # any number of iterations is right, and takes its time
    answer = answer_or_error(lambda: extractor.invert(values, n_iter=n_iter, seed=seed), ValueError)
    assert answer is None or torch.isfinite(answer).all()


SIZES = ["n_frames", "sampling_rate", "n_fft", "hop_length", "n_mels", "min_db", "max_db"]


@fuzz
@given(options=st.dictionaries(st.sampled_from(SIZES), st.one_of(st.integers(1, 4096), SCALARS), max_size=3))
def test_settings(answer_or_error, options):
    answer = answer_or_error(lambda: MusemoFeatureExtractor(**options), ValueError)
    assert answer is None or answer.seconds >= 0
