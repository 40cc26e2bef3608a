import pytest
import torch

from musemo_hf import MusemoGanConfig, MusemoGanGenerator
from musemo_hf.training.clips import Clips
from musemo_hf.training.gan.noise_scale import kernel_distances, some_clips

SMALL = {"n_frames": 288, "generator_channels": 16, "group_norm_groups": 2, "discriminator_channels": 4}


def a_generator(**values):
    torch.manual_seed(0)
    return MusemoGanGenerator(MusemoGanConfig(**SMALL, **values))


def test_noise_has_the_deviation_that_the_configuration_says(tmp_path):
    plain, wide = a_generator(), a_generator(noise_scale=2.0)
    assert torch.equal(2 * plain.sample_noise(3, seed=1), wide.sample_noise(3, seed=1))
    wide.save_pretrained(tmp_path)
    assert MusemoGanGenerator.from_pretrained(tmp_path).config.noise_scale == 2.0
    with pytest.raises(ValueError, match="expected noise_scale above 0, got -1"):
        MusemoGanConfig(noise_scale=-1.0)


def test_the_scale_that_made_the_songs_is_the_nearest():
    """Songs made by the generator itself at scale 3: there KID is least, and the generator is left as it was."""
    maker = a_generator(noise_scale=3.0)
    torch.nn.init.normal_(maker.project.weight, std=0.5)
    emotion = torch.rand(48, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    songs = Clips(maker.generate(emotion, seed=5), emotion)
    maker.config.noise_scale = 1.0
    distances = kernel_distances(maker, songs, [0.3, 1.0, 3.0])
    assert min(distances, key=distances.__getitem__) == 3.0
    assert maker.config.noise_scale == 1.0


def test_some_clips_are_drawn_once_each():
    clips = Clips(torch.zeros(5, 1, 128, 16), torch.linspace(-1, 1, 5)[:, None].expand(5, 2).contiguous())
    drawn = some_clips(clips, 4)
    assert len(set(drawn.emotion[:, 0].tolist())) == 4
    assert len(some_clips(clips, 9)) == 5
