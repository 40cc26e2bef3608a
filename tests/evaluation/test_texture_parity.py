"""The recogniser's texture statistics are its own, as models are self-contained; what both define has to coincide."""

import numpy as np
import pytest
import torch

from musemo_hf.evaluation.spaces import feature_groups
from musemo_hf.models.vit import texture


@pytest.fixture(scope="module")
def bands(musical):
    """Levels about their means, and their changes, of 32 bands in dB."""
    clips = torch.from_numpy(np.clip(musical(4, 300), -60, 40)).double()
    levels = clips.unflatten(1, (texture.N_BANDS, -1)).mean(dim=2)
    return levels - levels.mean(dim=-1, keepdim=True), levels.diff(dim=-1)


def test_constants_are_the_same():
    for name in ("N_BANDS", "FLOOR", "SURROUNDINGS", "LAGS", "PULSE_LAGS"):
        assert getattr(texture, name) == getattr(feature_groups, name), name
    assert texture.NEAR == feature_groups.ROWS_APART


def test_moments_of_levels_and_changes_coincide(bands):
    levels, changes = bands
    eighths = (feature_groups._average(part, 8) for part in (levels, changes))
    expected = torch.cat([part.flatten(1) for part in feature_groups._moments(*eighths, torch)], dim=1)
    ours = texture._asymmetry(levels, changes)
    by_lag = ours[-1].unflatten(1, (len(texture.LAGS), -1))
    torch.testing.assert_close(torch.cat([*ours[:-1], by_lag.flatten(1)], dim=1), expected)


def test_onsets_and_pulse_coincide(bands):
    expected, ours = feature_groups._onsets(bands[1], torch), texture._onsets(bands[1])
    for theirs, own in zip(expected, ours, strict=True):
        torch.testing.assert_close(own, theirs, rtol=5e-3, atol=5e-3)  # its deviations have a floor of 0.03 dB


def test_partials_coincide_inside_the_range(musical):
    """Correlations of near rows agree; the edges of the range are mirrored in one and shortened in the other."""
    clip = torch.from_numpy(np.clip(musical(3, 300), -60, 40)).double()
    centred = clip - clip.mean(dim=-1, keepdim=True)
    covariance = centred @ centred.mT / clip.shape[-1]
    near, _ = feature_groups._partials(clip.mean(dim=-1), covariance, torch)
    torch.testing.assert_close(texture._partials(clip.float())[0].double(), near, rtol=1e-3, atol=1e-3)
