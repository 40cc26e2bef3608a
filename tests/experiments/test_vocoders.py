"""The measurement of channels: its figures are right on sounds whose figures are known, and the page shows them."""

import json
import re
import sys

import numpy as np
import pytest
import soundfile
import torch

from musemo_hf.experiments.vocoders import figures, measurement
from musemo_hf.experiments.vocoders import page as page_module
from musemo_hf.experiments.vocoders.channels import DEFAULT, KEEPS_BANDS, TRUE_MAGNITUDES, Channel, channels
from musemo_hf.experiments.vocoders.conversion import conversion_figures
from musemo_hf.experiments.vocoders.measurement import measure, read_songs
from musemo_hf.experiments.vocoders.page import demo_song, sound_page
from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder
from training import measure_vocoder

SAME = Channel(lambda samples: samples, lambda samples, _: samples)
LOUDER = Channel(lambda samples: samples, lambda samples, _: 2 * samples)


@pytest.fixture(scope="module")
def songs():
    return [demo_song(seed) for seed in range(3)]


def test_a_song_is_at_no_distance_from_itself(songs):
    values, rebuilt = figures.measure_channel(SAME, songs)
    assert values["convergence"] == values["log_stft"] == values["level"] == [0, 0, 0]
    np.testing.assert_array_equal(rebuilt, songs)


def test_a_louder_song_is_at_the_distance_of_its_gain(songs):
    noise = 0.1 * np.random.default_rng(0).standard_normal(44100).astype(np.float32)
    assert figures.spectral_convergence(noise, 2 * noise) == pytest.approx(1, abs=1e-5)
    assert figures.log_stft_distance(noise, 2 * noise) == pytest.approx(np.log(2), abs=1e-4)
    assert figures.level_change(noise, 2 * noise) == pytest.approx(6.02, abs=1e-2)
    silence = np.zeros_like(noise)
    floored = np.log(np.maximum(np.abs(figures._magnitudes(noise)), figures.FLOOR) / figures.FLOOR).mean()
    assert figures.log_stft_distance(noise, silence) == pytest.approx(floored, rel=1e-5)


def test_finer_grids_keep_more_of_a_song(songs):
    ways = channels({})
    assert list(ways) == [DEFAULT, "Griffin-Lim, 256 bands", "Griffin-Lim, 512 bands", KEEPS_BANDS, TRUE_MAGNITUDES]
    values = {name: figures.measure_channel(way, [songs[0][:66150]])[0] for name, way in ways.items()}
    kept = values.pop(KEEPS_BANDS)
    for figure in ("convergence", "log_stft"):
        means = [np.mean(of_song[figure]) for of_song in values.values()]
        assert means == sorted(means, reverse=True), figure
    assert np.mean(kept["log_stft"]) < np.mean(values[DEFAULT]["log_stft"])


def test_two_noises_of_one_spectrum_differ_by_the_logarithm_of_two():
    """The page says so: what is drawn at random comes no nearer."""
    noises = np.random.default_rng(0).standard_normal((2, 66150)).astype(np.float32)
    assert figures.log_stft_distance(*noises) == pytest.approx(np.log(2), abs=0.02)


def test_external_figures_of_known_features():
    rng = np.random.default_rng(0)
    real = np.column_stack([rng.standard_normal((40, 8)), np.full(40, 3.0)])  # the last dimension is constant
    moved = real.copy()
    moved[:, 0] += 2 * real[:, 0].std()
    found = figures.external_figures(real, {"same": real, "moved": moved})
    assert found["same"]["external"] == {"value": 0, "interval": [0, 0]}
    assert found["same"]["kid"]["value"] < 0
    standard = (real[:, :8] - real[:, :8].mean(0)) / real[:, :8].std(0)
    pairs = np.linalg.norm(standard[:, None] - standard[None], axis=-1)[np.triu_indices(40, 1)]
    assert found["moved"]["external"]["value"] == pytest.approx(2 / np.median(pairs))
    assert found["moved"]["kid"]["value"] > found["same"]["kid"]["value"]


def test_emotion_figures_of_known_emotions():
    before = np.array([[-0.5, 0.2], [0.1, 0.4], [0.6, -0.3]])
    found = figures.emotion_figures(before, before + np.array([0.0, 0.1]))
    assert found["emotion_ccc"]["valence"] == pytest.approx(1)
    assert 0.9 < found["emotion_ccc"]["arousal"] < 1
    assert found["emotion_error"] == {"valence": 0, "arousal": pytest.approx(0.1)}


def test_the_conversion_of_a_song_is_measured_for_each_grid(songs):
    found = conversion_figures([songs[0][:66150]], 22050)
    assert set(found) == {
        "audioldm",
        "speecht5",
        "hifi-gan-22khz",
        "bigvgan-22khz-80band",
        "bigvgan-44khz-128band",
    }
    for row in found.values():
        for method in ("magnitude", "bands"):
            assert 0 < row[method]["error"]["value"] < 6  # dB
            assert abs(row[method]["bias"]) <= row[method]["error"]["value"]


@pytest.fixture
def folder(tmp_path, songs):
    """Three songs of sixteen seconds, and a file that is none."""
    path = tmp_path / "songs"
    path.mkdir()
    for number, song in enumerate(songs):
        soundfile.write(path / f"{number}.flac", np.tile(0.3 * song, 2)[: 16 * 22050], 22050)
    (path / "notes.txt").write_text("no song")
    return path


def test_songs_are_read_evenly_from_the_fifth_second(folder, songs):
    read = read_songs(folder, 2)
    assert len(read) == 2
    for found, song in zip(read, (songs[0], songs[2]), strict=True):
        np.testing.assert_allclose(found, np.tile(0.3 * song, 2)[5 * 22050 : 15 * 22050], atol=1e-4)
    soundfile.write(folder / "short.wav", np.zeros(8 * 22050), 22050)
    with pytest.raises(ValueError, match=r"expected songs of at least 15 s, got short\.wav"):
        read_songs(folder, None)
    with pytest.raises(ValueError, match=r"expected at least 2 songs in .*, found 0"):
        read_songs(folder / "nothing", None)


def test_the_script_writes_the_page(folder, tiny_vocoder, tmp_path, monkeypatch, capsys):
    for module in (measurement, page_module):  # of each song; ten say no more here
        monkeypatch.setattr(module, "SECONDS", 2.0)
    monkeypatch.setattr(measurement, "TIMED_SONGS", 1)
    tiny_vocoder(64, 16000, (5, 4, 2, 2, 2)).save_pretrained(tmp_path / "noisy")
    words = [
        "measure_vocoder.py",
        folder,
        "--n-songs",
        2,
        "--without-embedder",
        "--corpus",
        "Tiled chords",
        "--output-dir",
        tmp_path / "docs",
    ]
    words += ["--json", tmp_path / "numbers.json", "--vocoder", tmp_path / "noisy", "--sounds", tmp_path / "sounds"]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    measure_vocoder.main()
    assert f"page: {tmp_path / 'docs/sound.md'}" in capsys.readouterr().out
    results = json.loads((tmp_path / "numbers.json").read_text())
    page = (tmp_path / "docs/sound.md").read_text()
    assert (tmp_path / "docs/sound.png").read_bytes().startswith(b"\x89PNG")
    assert "Tiled chords: 2 songs that no network" in page
    assert "SONGS --corpus 'Tiled chords' --vocoder" in page
    for name in (DEFAULT, TRUE_MAGNITUDES, "noisy"):
        value = f"{results['channels'][name]['convergence']['value']:.2f}"
        assert re.search(rf"^\| {name}.*? \| {value} \[", page, re.MULTILINE), name
    assert results["channels"][TRUE_MAGNITUDES]["convergence"]["value"] < 0.2
    assert results["channels"]["noisy"]["convergence"]["value"] > 0.5
    assert len(list((tmp_path / "sounds").glob("*.flac"))) == 2 * 7
    assert (tmp_path / "sounds/index.html").read_text().count("<audio") == 14
    (tmp_path / "docs/sound.md").unlink()
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--report-only"])
    measure_vocoder.main()
    assert (tmp_path / "docs/sound.md").read_text() == page


def test_channels_that_are_known_are_not_measured_again(songs):
    known = measure([song[:22050] for song in songs], {"same": SAME})
    known["channels"]["same"]["level_spread"] = 99.9
    found = measure([song[:22050] for song in songs], {"louder": LOUDER, "same": SAME}, known=known)
    assert list(found["channels"]) == ["louder", "same"]
    assert found["channels"]["same"]["level_spread"] == 99.9
    assert found["channels"]["louder"]["level"]["value"] == pytest.approx(6.02, abs=0.01)
    assert found["librosa_seconds"] == known["librosa_seconds"]
    with pytest.raises(ValueError, match=r"expected earlier results of .*'n_songs': 2.*, got those of .*'n_songs': 3"):
        measure(songs[:2], {"same": SAME}, known=known)


@pytest.mark.pretrained
def test_the_judge_prefers_true_magnitudes(songs, pretrained_dir, monkeypatch):
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(pretrained_dir))
    ways = {name: way for name, way in channels({}).items() if name in (DEFAULT, TRUE_MAGNITUDES)}
    results = measure(songs, ways, yamnet_embedder())
    found = {name: row["external"]["value"] for name, row in results["channels"].items()}
    assert 0 < found[TRUE_MAGNITUDES] < found[DEFAULT]
    assert results["embedder"] == "yamnet-v1"
    conversion = {"grids": conversion_figures([songs[0][:44100]], 22050), "n_songs": 1}
    page = sound_page(results | {"conversion": conversion}, "a command", "two chords")
    assert f"{found[TRUE_MAGNITUDES] / found[DEFAULT]:.2f} ({TRUE_MAGNITUDES})" in page
    assert torch.get_num_threads() == results["threads"]
