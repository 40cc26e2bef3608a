"""A convolutional generator whose columns have noise of their own: the noise alone decides what happens when."""

import pytest
import torch

from musemo_hf import MusemoGanDiscriminator, MusemoGanGenerator
from musemo_hf.models.gan.columns_gan import COLUMN, MARGIN

EMOTION = torch.tensor([[0.4, -0.3]])
N_COLUMNS, COARSE = 40, 4


@pytest.fixture
def generator(gan_config):
    def make(**changes):
        torch.manual_seed(0)
        columns = {"preset": "modern", "column_noise_dim": COARSE, "noise_dim": 16, "n_frames": COLUMN * N_COLUMNS}
        return MusemoGanGenerator(gan_config(**(columns | changes))).eval()

    return make


def spectrogram(model, noise):
    with torch.no_grad():
        return model(emotion=EMOTION, noise=noise).spectrogram[0, 0]


def by_column(model, noise):
    """A view of the noise of each column, with the margins."""
    return noise[:, model.config.noise_dim :].unflatten(1, (N_COLUMNS + 2 * MARGIN, -1))


def test_noise_that_is_moved_in_time_moves_the_clip(generator):
    model = generator()
    noise = model.sample_noise(1, seed=0)
    moved = noise.clone()
    by_column(model, moved)[:] = by_column(model, noise).roll(1, dims=1)
    before, after = spectrogram(model, noise), spectrogram(model, moved)
    inside = slice(6 * COLUMN, -6 * COLUMN)  # where no edge is seen but by the means of the norms
    distance = (after - before.roll(COLUMN, dims=1))[:, inside].abs().mean()
    assert distance < 0.05 * (after - before)[:, inside].abs().mean()


@pytest.mark.parametrize("part", [slice(COARSE), slice(COARSE, None)], ids=["coarse", "fine"])
def test_the_noise_of_a_column_changes_the_clip_there_most(generator, part):
    model = generator()
    noise = model.sample_noise(1, seed=0)
    other = noise.clone()
    by_column(model, other)[:, 20 + MARGIN, part].normal_(generator=torch.Generator().manual_seed(1))
    change = (spectrogram(model, other) - spectrogram(model, noise)).abs().mean(dim=0)
    there = change[20 * COLUMN : 21 * COLUMN].mean()
    assert there > 1e-3
    assert change[: 15 * COLUMN].max() < 0.05 * there
    assert change[26 * COLUMN :].max() < 0.05 * there


def test_no_frame_has_a_place_of_its_own(generator):
    """Without noise all frames are alike, so that nothing is learnt of where in a clip they are."""
    model = generator()
    made = spectrogram(model, torch.zeros(1, model.noise_dim))
    by_phase = made.unflatten(1, (N_COLUMNS, COLUMN))  # places within a column differ
    torch.testing.assert_close(by_phase[:, 5], by_phase[:, 30], atol=1e-5, rtol=0)
    with_layout = generator(column_noise_dim=0)
    made = spectrogram(with_layout, torch.zeros(1, with_layout.noise_dim)).unflatten(1, (N_COLUMNS, COLUMN))
    assert (made[:, 5] - made[:, 30]).abs().max() > 0.01


def test_the_sizes_of_a_clip_that_is_no_multiple_of_a_column(generator):
    model = generator(n_frames=431)
    assert model.noise_dim == 16 + (27 + 2 * MARGIN) * (COARSE + 8 * 16)
    assert model.generate(EMOTION, seed=0).shape == (1, 1, 128, 431)
    assert MusemoGanDiscriminator(model.config)(model.generate(EMOTION, seed=0), EMOTION).logits.shape == (1,)


def test_it_is_the_same_after_saving(generator, tmp_path):
    model = generator()
    model.save_pretrained(tmp_path)
    loaded = MusemoGanGenerator.from_pretrained(tmp_path)
    torch.testing.assert_close(loaded.generate(EMOTION, seed=3), model.generate(EMOTION, seed=3))


@pytest.mark.parametrize(
    "changes", [{"column_noise_dim": -1}, {"column_noise_dim": 4, "generator_network": "transformer"}]
)
def test_values_that_do_not_go_together(gan_config, changes):
    with pytest.raises(
        ValueError, match='expected column_noise_dim of at least 0, and 0 unless generator_network is "con'
    ):
        gan_config(**({"preset": "modern"} | changes))


def test_the_discriminator_takes_codes_of_songs(generator):
    config = generator(n_frames=48, song_dim=5, conditioning="both").config
    discriminator = MusemoGanDiscriminator(config)
    condition, mel = torch.randn(2, 2 + 5), torch.rand(2, 1, 128, 48)
    assert discriminator(mel, condition).logits.shape == (2,)
    mean_song = torch.cat([condition[:, :2], torch.zeros(2, 5)], dim=1)
    torch.testing.assert_close(discriminator(mel, condition[:, :2]).logits, discriminator(mel, mean_song).logits)
    for shape in ((2, 3), (2, 8), (2,)):
        with pytest.raises(ValueError, match=r"expected emotion of shape \(B, 2\) or \(B, 7\), got"):
            discriminator(mel, torch.zeros(shape))
    with pytest.raises(ValueError, match=r"expected spectrogram of shape \(B, 1, 128, 48\), got \(2, 1, 128, 32\)"):
        discriminator(mel[..., :32], condition)


def test_more_song_values_than_noise_are_refused(gan_config):
    with pytest.raises(ValueError, match=r"expected song_dim in \[0, noise_dim = 100\], got 101"):
        gan_config(preset="modern", song_dim=101)
