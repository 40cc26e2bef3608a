import pytest
import torch

from musemo_hf import MusemoFlowGenerator

EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6], [0.0, 0.0]])


@pytest.mark.parametrize("n_frames", [1, 31, 32, 33])
@pytest.mark.parametrize("patch_size", [(128, 4), (32, 16)])
def test_any_number_of_frames(n_frames, patch_size):
    model = MusemoFlowGenerator(n_frames=n_frames, patch_size=patch_size, n_components=8, width=8, depth=1, n_heads=1)
    spectrogram = torch.rand(2, 1, 128, n_frames) * 2 - 1
    model.fit(spectrogram, EMOTIONS[:2])
    mels = model.generate(EMOTIONS, seed=0, num_inference_steps=1)
    assert mels.shape == (3, 1, 128, n_frames)
    assert mels.abs().max() <= 1
    assert torch.isfinite(mels).all()
    with pytest.raises(ValueError, match=rf"expected spectrogram of shape \(B, 1, 128, {n_frames}\), got \(2, 128"):
        model.encode(spectrogram[:, 0], EMOTIONS[:2])


def test_the_smallest_sizes():
    small = {"n_mels": 4, "n_frames": 1, "patch_size": (1, 1), "n_components": 1, "n_bands": 1, "n_pulse_bands": 1}
    for whitening in (0, 1):
        model = MusemoFlowGenerator(**small, whitening=whitening, width=4, depth=1, n_heads=1)
        assert model.generate(EMOTIONS, seed=0, num_inference_steps=1, guidance_scale=0).shape == (3, 1, 4, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": (24, 4)}, "expected patches whose mels divide 128"),
        ({"n_components": 0}, "expected 1 to 512 components"),
        ({"n_components": 513}, "expected 1 to 512 components"),
        ({"n_bands": 3}, "expected groups of bands that divide 128, or 0, got 3"),
        ({"n_bands": -1}, "expected groups of bands that divide 128, or 0, got -1"),
        ({"whitening": 1.5}, r"whitening in \[0, 1\]"),
        ({"width": 16, "n_heads": 3}, "a width that 3 and 4 divide"),
        ({"depth": 0}, "expected a depth"),
        ({"width": 18, "n_heads": 2}, "a width that 2 and 4 divide"),
        ({"whitening": -0.1}, r"whitening in \[0, 1\]"),
        ({"n_frames": 0}, "expected patches whose mels divide 128, and frames"),
        ({"patch_size": (0, 4)}, "expected patches whose mels divide 128"),
        ({"patch_size": (128, 0)}, "expected patches whose mels divide 128"),
        ({"n_pulse_bands": 5}, "expected groups of bands that divide 128, or 0, got 5"),
    ],
)
def test_sizes_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        MusemoFlowGenerator(**({"patch_size": (128, 4), "n_components": 16} | changes))
