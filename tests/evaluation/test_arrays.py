import datasets
import numpy as np
import pytest
import torch

from musemo_hf.evaluation.arrays import as_clips, check_units, looks_normalised, to_decibels

CLIPS = np.random.default_rng(0).normal(-20, 10, (3, 128, 9)).astype(np.float32)


@pytest.mark.parametrize(
    "given",
    [
        CLIPS,
        CLIPS[:, None],
        list(CLIPS),
        list(CLIPS[:, None]),
        CLIPS.astype(np.float64),
        CLIPS.tolist(),
        torch.from_numpy(CLIPS),
        torch.from_numpy(CLIPS)[:, None].requires_grad_(),
        list(torch.from_numpy(CLIPS)),
        datasets.Dataset.from_dict(
            {"x": CLIPS}, features=datasets.Features({"x": datasets.Array2D((128, 9), "float32")})
        )["x"],
    ],
    ids=["array", "channel", "list", "channels", "float64", "lists", "torch", "grad", "tensors", "column"],
)
def test_every_kind_of_clips_is_taken(given):
    clips = as_clips(given)
    assert len(clips) == 3
    assert all(np.allclose(clip, expected) for clip, expected in zip(clips, CLIPS, strict=True))


def test_half_precision_and_bfloat16_become_single():
    assert as_clips(CLIPS.astype(np.float16))[0].dtype == np.float32
    assert as_clips(torch.from_numpy(CLIPS).bfloat16())[0].dtype == np.float32


def test_clips_of_other_lengths_are_a_list():
    assert [clip.shape for clip in as_clips([CLIPS[0], CLIPS[1, :, :4]])] == [(128, 9), (128, 4)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (CLIPS.transpose(0, 2, 1), r"\(9, 128\); are the axes swapped"),
        (CLIPS[0], r"fakes of shape .*got \(128, 9\)"),
        (CLIPS[:, :64], r"\(64, 9\)"),
        (np.repeat(CLIPS[:, None], 3, axis=1), r"\(3, 128, 9\)"),
        (CLIPS[..., :1], "at least 2 frames"),
        ([CLIPS[0], [[1.0], [2.0, 3.0]]], r"fakes\[1\], got rows of other lengths"),
    ],
)
def test_wrong_shapes_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        as_clips(given, "fakes")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_cells_that_are_not_finite_are_found(bad):
    broken = CLIPS.copy()
    broken[1, 70, 4] = bad
    with pytest.raises(ValueError, match=r"clips\[1\], got .* in band 70, frame 4"):
        as_clips(broken)


@pytest.mark.parametrize("given", [7, [np.full((128, 9), "x")], [np.zeros((128, 9), complex)]])
def test_what_is_not_numbers_is_refused(given):
    with pytest.raises(TypeError, match="expected"):
        as_clips(given)


def test_units_are_told_apart_and_converted():
    normalised = (np.clip(CLIPS[0], -60, 40) + 10) / 50
    assert looks_normalised(normalised)
    assert not looks_normalised(CLIPS[0])
    assert np.allclose(to_decibels(normalised), CLIPS[0], atol=1e-4)
    clip = CLIPS[0]
    assert to_decibels(clip) is clip


def test_two_units_are_refused():
    yes, no = np.array([True, True]), np.array([False, False])
    check_units(yes, yes)
    check_units(no, no)
    with pytest.raises(ValueError, match=r"got normalised predictions .* and references in dB"):
        check_units(no, yes)
    with pytest.raises(ValueError, match=r"got normalised references .* and predictions in dB"):
        check_units(yes, no)
    with pytest.raises(ValueError, match="references in one unit, got 1 of 2"):
        check_units(np.array([True, False]), no)
