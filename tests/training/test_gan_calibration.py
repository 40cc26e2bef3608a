"""A GAN that follows the emotion too little is asked for more, so that what is recognised is what was wanted."""

import pytest
import torch

from musemo_hf import MusemoGanConfig, MusemoGanGenerator, MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.models.gan.modeling_gan import MusemoGeneratorOutput
from musemo_hf.training.clips import Clips
from musemo_hf.training.recogniser.emotion_calibration import calibrate

N_SONGS, N_FRAMES = 160, 32
SIZES = {"preset": "modern", "n_frames": N_FRAMES, "generator_channels": 16, "group_norm_groups": 2, "noise_dim": 8}


def sounds(emotion, noise):
    """Clips whose level tells the arousal, and whose slope over the bands tells the valence."""
    slope = torch.linspace(-1, 1, 128)[:, None] * emotion[:, 0, None, None]
    ripple = 0.05 * torch.sin(torch.arange(N_FRAMES) * (1 + noise[:, :1, None].abs()))
    return (0.4 * emotion[:, 1, None, None] + 0.4 * slope + ripple)[:, None].clamp(-1, 1)


class Timid(MusemoGanGenerator):
    """Follows half of the emotion, and is always a little too excited."""

    def forward(self, emotion, noise, return_dict=None):
        return MusemoGeneratorOutput(spectrogram=sounds(0.5 * emotion + torch.tensor([0.0, 0.1]), noise))


@pytest.fixture
def songs():
    draws = torch.Generator().manual_seed(0)
    emotion = torch.rand(N_SONGS, 2, generator=draws) - 0.5
    return Clips(sounds(emotion, torch.randn(N_SONGS, 8, generator=draws)), emotion)


def test_what_is_recognised_is_what_was_wanted(songs):
    config = MusemoViTConfig(n_frames=N_FRAMES, kernel_read_out=True, kernel_statistics=["texture"], network=False)
    recogniser = MusemoViTForEmotionRegression(config)
    recogniser.fit_in_closed_form(songs.spectrogram, songs.emotion)
    generator = Timid(MusemoGanConfig(**SIZES))
    figures = calibrate(generator, recogniser, songs, [str(i % 10) for i in range(N_SONGS)], n_clips=80)
    assert generator.config.emotion_map == figures["emotion_map"]
    matrix = torch.tensor(figures["emotion_map"])
    torch.testing.assert_close(matrix[:, :2], 2 * torch.eye(2), atol=0.3, rtol=0)
    assert matrix[1, 2].item() == pytest.approx(-0.2, abs=0.06)
    for name in ("ccc", "scale_ratio"):
        before, after = figures["before"][name], figures["after"][name]
        assert all(abs(1 - new) < abs(1 - old) for new, old in zip(after, before, strict=True))


def test_a_map_changes_what_the_network_is_asked_for_and_survives_saving(tmp_path):
    torch.manual_seed(0)
    emotion_map = {"emotion_map": [[1.5, 0.0, 0.1], [0.0, 1.2, -0.1]], "emotion_range": [[-0.6, 0.6], [-0.5, 0.7]]}
    mapped = MusemoGanGenerator(MusemoGanConfig(**SIZES, **emotion_map)).eval()
    emotion, asked = torch.tensor([[0.2, -0.1]]), torch.tensor([[0.4, -0.22]])
    noise = mapped.sample_noise(1, seed=0)
    made = mapped.generate(emotion, noise=noise)
    with torch.no_grad():
        torch.testing.assert_close(made, mapped(asked, noise).spectrogram)
        assert (made - mapped(emotion, noise).spectrogram).abs().max() > 1e-4
    mapped.save_pretrained(tmp_path)
    torch.testing.assert_close(MusemoGanGenerator.from_pretrained(tmp_path).generate(emotion, noise=noise), made)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"emotion_map": [[1.0, 0.0], [0.0, 1.0]]}, r"expected emotion_map of shape \(2, 3\)"),
        ({"emotion_range": [[-1.0, 1.0]]}, r"expected emotion_range of shape \(2, 2\)"),
        ({"emotion_range": [[0.5, -0.5], [-1.0, 1.0]]}, r"expected pairs \(least, greatest\) in emotion_range"),
    ],
)
def test_a_map_of_another_shape_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        MusemoGanConfig(**SIZES, **values)
