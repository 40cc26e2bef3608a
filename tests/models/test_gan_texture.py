"""The generator without a layout in time: what happens when comes from the noise, and from nothing else."""

import pytest
import torch

from musemo_hf import MusemoGanDiscriminator, MusemoGanGenerator
from musemo_hf.models.gan.texture_gan import COLUMN, HELD

EMOTION = torch.tensor([[0.4, -0.3]])
N_COLUMNS = 24


@pytest.fixture
def generator(gan_config):
    def make(**changes):
        torch.manual_seed(0)
        texture = {"preset": "modern", "generator_network": "texture", "noise_dim": 16, "n_frames": COLUMN * N_COLUMNS}
        return MusemoGanGenerator(gan_config(**(texture | changes))).eval()

    return make


def spectrogram(model, noise):
    with torch.no_grad():
        return model(emotion=EMOTION, noise=noise).spectrogram[0, 0]


def columns(model, noise):
    """Views of what a noise holds for the whole clip, and for each column."""
    clip, *_ = noise.split((sum(model.texture.clip_sizes), noise.shape[1] - sum(model.texture.clip_sizes)), dim=1)
    return clip, noise[:, clip.shape[1] :].unflatten(1, (-1, sum(model.texture.column_sizes)))


def test_noise_that_is_moved_in_time_moves_the_clip(generator):
    model = generator(n_rhythms=0)
    noise = model.sample_noise(1, seed=0)
    clip, by_column = columns(model, noise)
    moved = torch.cat([clip, by_column.roll(1, dims=1).flatten(1)], dim=1)
    before, after = spectrogram(model, noise), spectrogram(model, moved)
    inside = slice(4 * COLUMN, -4 * COLUMN)  # where no edge is seen
    torch.testing.assert_close(after[:, inside], before.roll(COLUMN, dims=1)[:, inside], atol=1e-5, rtol=0)


def test_the_noise_of_a_column_changes_the_clip_there_only(generator):
    model = generator()
    noise = model.sample_noise(1, seed=0)
    other = noise.clone()
    columns(model, other)[1][:, 12].normal_(generator=torch.Generator().manual_seed(1))
    change = (spectrogram(model, other) - spectrogram(model, noise)).abs().amax(dim=0)
    assert change[12 * COLUMN : 13 * COLUMN].amin() > 1e-3
    assert change[: 9 * COLUMN].amax() < 1e-6
    assert change[16 * COLUMN :].amax() < 1e-6


def test_held_noise_changes_its_bands_all_along_the_clip(generator):
    model = generator(n_rhythms=0)
    noise = model.sample_noise(1, seed=0)
    other = noise.clone()
    held = other[:, 16 : 16 + HELD * 32].unflatten(1, (HELD, 32))  # after the noise of the clip; 4 bands each
    held[:, :, 16] += 3
    change = (spectrogram(model, other) - spectrogram(model, noise)).abs()
    assert change[60:72].amax(dim=0).amin() > 1e-3
    assert change[:40].amax() < 1e-6
    assert change[90:].amax() < 1e-6


def test_as_many_frames_as_the_noise_has_columns(generator, gan_config):
    model = generator()
    for n_frames in (16, 100, 1292):
        noise = torch.randn(1, model.noise_length(n_frames))
        made = spectrogram(generator(n_frames=1292), noise)
        assert made.shape == (128, -(-n_frames // COLUMN) * COLUMN if n_frames < 1292 else 1292)


def test_the_discriminator_takes_crops_and_codes_of_songs(generator):
    config = generator(song_dim=5, stem="residual", conditioning="both").config
    discriminator = MusemoGanDiscriminator(config)
    condition = torch.randn(2, 2 + 5)
    for n_frames in (COLUMN * N_COLUMNS, 48):
        assert discriminator(torch.rand(2, 1, 128, n_frames), condition).logits.shape == (2,)
    with pytest.raises(ValueError, match=r"expected spectrogram of shape \(B, 1, 128, 384\), got \(2, 1, 128, 400\)"):
        discriminator(torch.rand(2, 1, 128, 400), condition)
    mel, mean_song = torch.rand(2, 1, 128, 48), torch.cat([condition[:, :2], torch.zeros(2, 5)], dim=1)
    torch.testing.assert_close(discriminator(mel, condition[:, :2]).logits, discriminator(mel, mean_song).logits)
    for shape in ((2, 3), (2, 8), (2,)):
        with pytest.raises(ValueError, match=r"expected emotion of shape \(B, 2\) or \(B, 7\), got"):
            discriminator(mel, torch.zeros(shape))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"song_dim": 101}, r"expected song_dim in \[0, noise_dim = 100\], got 101"),
        ({"stem": "residual", "spectral_norm": True}, "without spectral_norm, got both"),
        ({"generator_network": "texture", "upsampling": "residual"}, 'expected upsampling "shuffle" with the network'),
    ],
)
def test_values_that_do_not_go_together(gan_config, changes, message):
    with pytest.raises(ValueError, match=message):
        gan_config(**({"preset": "modern"} | changes))
