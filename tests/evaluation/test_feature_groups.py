import numpy as np
import pytest
import torch
from scipy import stats

from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.spaces.feature_groups import (
    FEATURE_GROUPS,
    FLOOR,
    _coherence,
    _shape,
    _tapered_spectrum,
    features_of,
    grouped_features,
)
from musemo_hf.evaluation.spaces.modulation import octave_edges


def struck(seed, n_frames=400, together=True):
    """Decaying notes, struck by all bands at once or by each on its own."""
    rng = np.random.default_rng(seed)
    notes = (rng.random((1 if together else 128, n_frames)) < 0.05) * rng.exponential(20, (128, n_frames))
    clip = np.zeros((128, n_frames))
    for t in range(1, n_frames):
        clip[:, t] = 0.85 * clip[:, t - 1] + notes[:, t]
    return clip - 30 + 0.5 * rng.normal(size=clip.shape)


def part(clip, group):
    return grouped_features(clip[None])[0, FEATURE_GROUPS[group]]


def test_columns_are_the_feature_groups():
    assert get_embedder("modulation-v3").feature_groups == FEATURE_GROUPS
    covered = [column for columns in FEATURE_GROUPS.values() for column in range(160)[columns]]
    assert covered == list(range(160))
    assert grouped_features(np.stack([struck(0), struck(1)])).shape == (2, 160)


def test_reversal_shows_in_events_alone():
    clip = struck(0)
    forwards, backwards = part(clip, "events"), part(clip[:, ::-1], "events")
    asymmetry = slice(-12, None)
    np.testing.assert_allclose(forwards[asymmetry], -backwards[asymmetry], atol=1e-3)
    assert (forwards[asymmetry][:4] > 0.5).all()  # notes rise faster than they fall
    np.testing.assert_allclose(part(clip, "spectrum"), part(clip[:, ::-1], "spectrum"), atol=1e-3)


def test_striking_together_shows_in_synchrony():
    together, apart = part(struck(0), "synchrony"), part(struck(0, together=False), "synchrony")
    assert together[6:24].mean() > 0.5  # coherence, but for the slowest two octaves, which have a bin or two each
    assert abs(apart[9:24].mean()) < 0.15


def test_partials_show_in_spectrum():
    clip = np.random.default_rng(0).normal(-30, 3, (128, 400))
    lines = clip.copy()
    lines[::12] += 20
    standing = slice(16 + 32 + 12 + 6 + 2, 16 + 32 + 12 + 6 + 12, 4)
    assert (part(lines, "spectrum")[standing] > part(clip, "spectrum")[standing] + 1).all()


def test_loudness_shows_in_the_band_means_alone():
    clip = np.clip(struck(0), -50, 30)  # no cell is clamped, before or after
    gap = grouped_features(clip[None] + 5)[0] - grouped_features(clip[None])[0]
    np.testing.assert_allclose(gap[:16], 5, atol=1e-4)
    np.testing.assert_allclose(gap[16:], 0, atol=2e-3)


def test_moments_are_scipys():
    rows = np.random.default_rng(0).gamma(1, 30, (3, 500))
    skewness, kurtosis = _shape(rows, np)
    np.testing.assert_allclose(skewness, stats.skew(rows, axis=1), rtol=1e-3)
    np.testing.assert_allclose(kurtosis, np.log(stats.kurtosis(rows, axis=1, fisher=False)), atol=1e-3)
    assert np.abs(_shape(np.zeros((1, 9)), np)).max() == 0


def test_coherence_by_loop():
    bands = np.random.default_rng(0).normal(0, 4, (16, 300)).astype(np.float32)
    bands[1:] += bands[:-1]
    window = np.hanning(300)
    spectrum = np.fft.rfft(bands * window / np.sqrt((window**2).sum()))
    np.testing.assert_allclose(_tapered_spectrum(bands, np), spectrum, atol=1e-4)
    edges = octave_edges(300)
    for octave in (2, 6):
        bins = spectrum[:, edges[octave] : edges[octave + 1]]
        scale = [np.sqrt((abs(row) ** 2).sum()) + FLOOR for row in bins]
        pairs = [(bins[i] * bins[i + 3].conj()).sum().real / scale[i] / scale[i + 3] for i in range(13)]
        assert _coherence(spectrum, edges, np)[octave, 1] == pytest.approx(np.mean(pairs), abs=1e-4)


def test_silence_is_finite_and_errors():
    assert np.isfinite(grouped_features(np.full((1, 128, 256), -100.0))).all()
    with pytest.raises(ValueError, match="at least 256 frames"):
        grouped_features(np.zeros((1, 128, 255)))
    with pytest.raises(ValueError, match="128 mel bands for modulation-v3, got 64"):
        grouped_features(np.zeros((1, 64, 300)))


def test_torch_and_numpy_compute_the_same_features():
    clips = np.clip(np.stack([struck(0), struck(1, together=False)]), -60, 40).astype(np.float32)
    in_torch = features_of(torch.from_numpy(clips), torch).numpy()
    np.testing.assert_allclose(in_torch, grouped_features(clips), rtol=1e-4, atol=1e-4)


def test_silence_has_a_gradient():
    silence = torch.full((1, 128, 260), -60.0, requires_grad=True)
    features_of(silence, torch).sum().backward()
    assert torch.isfinite(silence.grad).all()
