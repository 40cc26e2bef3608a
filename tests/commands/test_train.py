"""Fine-tuning on one's own songs: a recogniser in closed form, and a generator on pseudo-labels."""

import json

import numpy as np
import pytest

from musemo_hf.commands.checkpoints import load_recogniser
from musemo_hf.evaluation.spaces.embedders import embedder_names
from musemo_hf.training.recogniser.adaptation import adapt_recogniser

N_SONGS = 10
TINY = ["generator.generator_channels=8", "generator.group_norm_groups=1", "generator.discriminator_channels=4"]
TINY += ["gan_training.steps=1", "gan_training.batch_size=4"]


@pytest.fixture
def music(make_song, tmp_path):
    """A folder of songs, and a table in which every song is far sadder than the packaged recogniser says."""
    lines = ["file,valence,arousal"]
    for number in range(N_SONGS):
        song = make_song(f"music/{number}.wav", 10.5, number)
        lines.append(f"{song.name},{-0.9 + 0.02 * number:.2f},{0.05 * number:.2f}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path / "music", tmp_path / "labels.csv"


def test_a_recogniser_learns_what_it_got_wrong(musemo, music, tmp_path):
    folder, labels = music
    (folder / "broken.wav").write_bytes(b"no sound")
    with labels.open("a") as table:
        table.write("\nbroken.wav,0,0")
    status, out, err = musemo("train", folder, "--labels", labels, "--output", tmp_path / "mine")
    assert status == 0, err
    assert f"fine-tuned on {N_SONGS} songs by {N_SONGS} artists" in out
    assert "left out: broken.wav: " in out
    report = json.loads((tmp_path / "mine/recogniser/report.json").read_text())
    before, after = (np.array(report["agreement"][side]["rmse"]) for side in ("before", "after"))
    assert after[0] < before[0] / 2  # of songs whose artist was not learnt: the shift is learnt from the others
    told = []
    for checkpoint in ("recogniser", tmp_path / "mine/recogniser"):
        status, out, err = musemo("predict", folder / "3.wav", "--checkpoint", checkpoint, "--json")
        assert status == 0, err
        told.append(json.loads(out)["songs"][0]["valence"])
    assert abs(told[1] - -0.84) < abs(told[0] - -0.84) / 2


def test_what_was_added_is_predicted_without_the_songs_of_its_artist(music):
    folder, _ = music
    songs = {folder / f"{number}.wav": (0.1 * number - 0.5, 0.3) for number in range(N_SONGS)}
    model, extractor = load_recogniser(None)
    alone = adapt_recogniser(model, extractor, songs)
    others, extractor = load_recogniser(None)
    left = next(iter(songs))
    adapt_recogniser(others, extractor, {song: emotion for song, emotion in songs.items() if song != left})
    samples, length = extractor.load(left).samples, extractor.settings.n_samples(extractor.n_frames)
    clips = [samples[start : start + length] for start in extractor.window_starts(len(samples))]
    emotion = others(extractor(clips, sampling_rate=extractor.sampling_rate)["spectrogram"]).emotion
    expected = emotion.mean(dim=0).tolist()
    assert alone.after[0] == pytest.approx(expected, abs=2e-3)  # kept clips are of half precision


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (3, "expected at least 8 songs that can be read, got 3"),
        (0, "expected files in"),
    ],
)
def test_tables_that_cannot_be_learnt_from(musemo, music, tmp_path, rows, message):
    folder, labels = music
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join(lines[: rows + 1] if rows else [lines[0], "gone.wav,0,0"]))
    status, _, err = musemo("train", folder, "--labels", labels, "--output", tmp_path / "mine")
    assert status == 1
    assert message in err
    assert not (tmp_path / "mine/recogniser").exists()


def test_a_generator_learns_from_songs_without_labels(musemo, music, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder, out = music[0], tmp_path / "mine"
    status, printed, err = musemo(
        "train", folder, "--generator", "gan", "--config", "gan_10s.yaml", "--set", *TINY, "--output", out
    )
    assert status == 0, err
    assert f"{N_SONGS} songs of music, pseudo-labels by the packaged recogniser" in printed
    report = json.loads((out / "generator/report.json").read_text())
    assert report["corpus"]["heard"]
    assert "gan_training:" in (out / "configuration.yaml").read_text()
    status, _, err = musemo(
        "generate", "--preset", "happy", "--checkpoint", out / "generator", "--arrays", "--output", tmp_path / "a.npy"
    )
    assert status == 0, err
    assert np.load(tmp_path / "a.npy").shape == (128, 431)


def test_the_names_of_embedders_are_those_that_are_registered():
    from musemo_hf.commands.score.command import EMBEDDERS
    from musemo_hf.evaluation.spaces.embedder_factories import SHORT_NAMES

    assert set(SHORT_NAMES) <= set(EMBEDDERS)
    assert set(EMBEDDERS) <= {*embedder_names(), *SHORT_NAMES}
