"""The genre that is asked of a generator, against the genre that classifiers of songs find in its clips."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from musemo_hf.experiments.model_reports.genres import fold_of_artists, genres_table, measure_genres
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.pipelines.embedders.audio_embedder import audio_embedder

GENRES = ("Classical", "Rock")


class Player:
    """Noise with a tilt over frequency that tells the genre, or that of no genre at all."""

    device = torch.device("cpu")

    def __init__(self, obedient, genres=GENRES):
        self.obedient, self.config = obedient, SimpleNamespace(genres=genres)

    def generate(self, emotion, seed, conditions):
        shares = conditions["genre"][:, -2:] * self.obedient
        noise = torch.randn(len(emotion), 1, 128, 256, generator=torch.Generator().manual_seed(seed))
        return 0.02 * noise - 0.2 + tilt(shares[:, 1] - shares[:, 0])[:, None]


def tilt(side):
    return 0.2 * side.view(-1, 1, 1) * torch.linspace(-1, 1, 128)[:, None]


@pytest.fixture
def named(songs, monkeypatch):
    """Songs that are tilted as their genre is, some of two genres or of none; each artist has two."""
    monkeypatch.setattr("musemo_hf.experiments.model_reports.genres.N_ARTISTS", 5)
    kinds = ["Rock", "Rock", "Classical", "Classical"] * 6
    side = torch.tensor([1.0 if kind == "Rock" else -1.0 for kind in kinds])
    spectrogram = 0.1 * songs.spectrogram - 18 + 50 * tilt(side).numpy()  # as loud as the clips
    kinds[:3] = ["Rock-Classical", "Jazz", "n/a"]
    return replace(songs, spectrogram=spectrogram.astype(np.float32), genre=kinds)


def sounds():
    def embed(waveforms, sampling_rate):
        return np.array([[np.abs(np.diff(x)).mean() / np.abs(x).mean(), np.abs(x).mean()] for x in waveforms])

    return SoundSets(audio_embedder("brightness-v1", 2, 22050, embed), cache=False, progress=False)


def test_a_genre_that_is_followed_is_found(named):
    figures = measure_genres(Player(1.0), named, 2, sounds())
    assert list(figures["by_space"]) == ["brightness-v1, sound", "modulation-v3, arrays"]
    assert (figures["n_songs"], figures["n_artists"], figures["chance"]) == ([11, 10], 11, 0.5)
    for found in figures["by_space"].values():
        assert found["songs"]["balanced_accuracy"] == found["requested"]["balanced_accuracy"] == 1
        assert found["requested"]["balanced_accuracy_interval"] == [1, 1]
        assert found["requested"]["recall"] == [1, 1]
        assert sum(found["unasked"]) == pytest.approx(1)
    lines = genres_table(figures).splitlines()
    assert lines[2].startswith("| **balanced accuracy** | 21 | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] | 0.50 (chance) |")
    assert lines[3].startswith("| Classical | 11 | 1.00 | 1.00 | ")


def test_a_generator_that_ignores_the_genre_is_at_chance(named):
    (found,) = measure_genres(Player(0.0), named, 4)["by_space"].values()
    assert found["songs"]["balanced_accuracy"] == 1
    assert found["requested"]["balanced_accuracy"] == pytest.approx(0.5)
    assert found["requested"]["recall"] == pytest.approx(found["unasked"])


def test_folds_divide_no_artist():
    rng = np.random.default_rng(0)
    labels, artists = rng.integers(0, 3, 200), [f"artist {i}" for i in rng.integers(0, 60, 200)]
    folds = fold_of_artists(labels, artists, seed=0)
    assert set(folds) == set(range(5))
    assert len({(artist, fold) for artist, fold in zip(artists, folds, strict=True)}) == len(set(artists))


def test_a_genre_of_few_artists_is_left_out(named):
    figures = measure_genres(
        Player(1.0, genres=("Pop", *GENRES)), replace(named, genre=["Pop-Rock", *named.genre[1:]]), 2
    )
    assert figures["genres"] == list(GENRES)
    assert figures["chance"] == 0.5


def test_genres_that_cannot_be_measured(named):
    with pytest.raises(ValueError, match="the only one of songs of 5 artists, and 2 emotions, got no genres, and 4"):
        measure_genres(Player(1.0, genres=()), named, 4)
    with pytest.raises(ValueError, match="got Pop 0, Rock 6, and 4 emotions"):
        measure_genres(Player(1.0, genres=("Pop", "Rock")), named, 4)
