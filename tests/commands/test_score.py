import json
import os

import datasets
import evaluate
import numpy as np
import pytest
import torch

from musemo_hf import metric_path
from musemo_hf.audio.decoding import read_audio
from musemo_hf.audio.mel import log_mel


def spectrograms(n_clips, seed, n_frames=300):
    """dB (N, 128, n_frames) with a spectral slope, levels and a beat: enough for every figure to be defined."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(10, -30, 128)[None, :, None]
    beat = 6 * np.sin(np.arange(n_frames) / rng.uniform(3, 20, (n_clips, 1, 1)))
    clips = slope + rng.normal(0, 4, (n_clips, 1, 1)) + beat + rng.normal(0, 3, (n_clips, 128, n_frames))
    return clips.astype(np.float32)


@pytest.fixture
def arrays(tmp_path):
    """`arrays("real", clips)` -> a folder of one .npy."""

    def save(name, clips):
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "clips.npy", clips)
        return folder

    return save


def score_json(musemo, *arguments):
    status, out, err = musemo("score", *arguments, "--json", "-")
    assert status == 0, err
    return json.loads(out)


def test_the_answer_is_the_metric_s(musemo, arrays, tmp_path):
    real, fake = spectrograms(8, 0), spectrograms(7, 1)
    result = score_json(
        musemo, arrays("real", real), arrays("fake", fake), "--confidence", 0.9, "--n-resamples", 20, "--seed", 2
    )
    metric = evaluate.load(metric_path("spectrogram_quality"), cache_dir=str(tmp_path))
    answer = metric.compute(predictions=fake, references=real, confidence=0.9, n_resamples=20, seed=2)
    assert {key for key in answer if key not in result} == set()
    for key in ("quality_score", "frechet_score", "kid", "precision", "coverage", "modulation_distance"):
        assert result[key] == pytest.approx(answer[key])
        assert len(result[f"{key}_interval"]) == 2
    assert result["ladder"] == {name: pytest.approx(score) for name, score in answer["ladder"].items()}
    assert (result["n_references"], result["n_predictions"]) == (8, 7)


def test_every_kind_of_folder_says_the_same(musemo, arrays, tmp_path):
    real, fake = spectrograms(12, 0), spectrograms(12, 1)
    single = tmp_path / "single"
    single.mkdir()
    for index, clip in enumerate(fake):
        np.save(single / f"{index:02}.npy", clip)
    rows = datasets.Features(spectrogram=datasets.Array2D((128, 300), "float32"), title=datasets.Value("string"))
    stored = datasets.Dataset.from_dict({"spectrogram": fake, "title": [""] * len(fake)}, features=rows)
    stored.save_to_disk(tmp_path / "stored")
    datasets.DatasetDict(train=stored).save_to_disk(tmp_path / "splits")
    reference = arrays("real", real)
    shapes = [arrays("stack", fake), arrays("four", fake[:, None]), single, tmp_path / "stored", tmp_path / "splits"]
    scores = [score_json(musemo, reference, path, "--confidence", 0) for path in shapes]
    assert [result["sides"]["FAKE"]["n_clips"] for result in scores] == [12] * 5
    for result in scores[1:]:
        assert result["quality_score"] == pytest.approx(scores[0]["quality_score"], abs=1e-6)
        assert result["kid"] == pytest.approx(scores[0]["kid"], abs=1e-6)
    assert "quality_score_interval" not in scores[0]


@pytest.fixture
def audio_folders(make_song):
    for seed in range(4):
        real = make_song(f"real/{seed}.wav", 10.0, seed)
        fake = make_song(f"fake/{seed}.wav", 10.5, seed + 10)
    return real.parent, fake.parent


def test_audio_with_bad_files_among_it(musemo, audio_folders, make_song):
    real, fake = audio_folders
    (fake / "junk.mp3").write_bytes(b"no audio")
    make_song("fake/short.wav", 2.0)
    (fake / "notes.txt").write_text("not music")
    result = score_json(musemo, real, fake, "--confidence", 0)
    assert result["n_frames"] == 431
    assert result["sides"]["REAL"] == {"path": str(real), "kind": "audio", "n_clips": 4, "left_out": {}}
    left_out = result["sides"]["FAKE"]["left_out"]
    assert set(left_out) == {"junk.mp3", "short.wav"}
    assert "it breaks off after 2.00 s" in left_out["short.wav"]
    assert score_json(musemo, real, real, "--confidence", 0)["quality_score"] == pytest.approx(100)
    assert score_json(musemo, real, fake, "--confidence", 0, "--jobs", 2) == result


def test_audio_takes_the_form_of_the_other_side_s_arrays(musemo, audio_folders, arrays):
    real, _ = audio_folders
    clips = [log_mel(torch.from_numpy(read_audio(path))).numpy()[:, :300] for path in sorted(real.iterdir())]
    decibels = np.clip(clips, -60, 40)
    normalised = (decibels + 10) / 50
    for name, stack in (("decibels", decibels), ("normalised", normalised)):
        result = score_json(musemo, real, arrays(name, stack), "--confidence", 0)
        assert result["n_frames"] == 300
        assert result["quality_score"] > 99  # an excerpt of 300 frames and the first 300 of a longer one: its last
        # two frames differ


def test_pages_and_tables(musemo, arrays, tmp_path):
    real, fake = arrays("real", spectrograms(8, 0)), arrays("<fake>", spectrograms(8, 1))
    status, out, _ = musemo(
        "score", real, fake, "--html", tmp_path / "r.html", "--json", tmp_path / "r.json", "--n-resamples", 20
    )
    assert status == 0
    result = json.loads((tmp_path / "r.json").read_text())
    line = next(line for line in out.splitlines() if line.startswith("Quality score"))
    assert line.split()[2] == f"{result['quality_score']:.1f}"
    assert "this set" in out
    assert "noise without any music reaches" in out
    page = (tmp_path / "r.html").read_text()
    assert page.count("data:image/png;base64,") == 1
    assert page.count('src="data:audio/mpeg;base64,') == 6  # three clips of each side
    assert "http" not in page.split("base64,")[0] + page.split('"', page.count('"'))[-1], "nothing is fetched"
    assert "&lt;fake&gt;" in page
    assert "<fake>" not in page
    assert f"{result['quality_score']:.1f} <small>[" in page
    assert "musemo score" in page


def test_conditioning(musemo, make_song, recogniser, tmp_path):
    for seed in range(6):
        real, fake = make_song(f"real/{seed}.wav", 7.0, seed), make_song(f"fake/{seed}.wav", 7.0, seed + 9)
    status, out, _ = musemo("predict", *sorted(fake.parent.iterdir()), "--checkpoint", recogniser, "--json")
    assert status == 0
    table = ["File Name, Valence, Arousal"]
    heard = {song["file"].split("/")[-1]: song["path"][0] for song in json.loads(out)["songs"]}
    table += [f"{name}, {window['valence']}, {window['arousal']}" for name, window in list(heard.items())[:5]]
    (tmp_path / "asked.csv").write_text("\n".join(table))
    arguments = [real.parent, fake.parent, "--n-frames", 300, "--confidence", 0, "--recogniser", recogniser]
    result = score_json(musemo, *arguments, "--emotions", tmp_path / "asked.csv")["conditioning"]
    # what it hears in the first window is what was asked for, but for the last frames before the window's cut
    assert min(result["ccc"]) > 0.9
    assert (result["n"], result["without_request"]) == (5, 1)
    opposite = [f"{name}, {-window['valence']}, {-window['arousal']}" for name, window in heard.items()]
    (tmp_path / "opposite.csv").write_text("\n".join(table[:1] + opposite))
    result = score_json(musemo, *arguments, "--emotions", tmp_path / "opposite.csv")["conditioning"]
    assert max(result["ccc"]) < 0
    assert (result["n"], result["without_request"]) == (6, 0)


def test_authenticity_needs_training_and_held_out(musemo, arrays):
    real, fake, training, held_out = (arrays(f"{seed}", spectrograms(12, seed)) for seed in range(4))
    copies = score_json(musemo, real, training, "--confidence", 0, "--training", training, "--held-out", held_out)
    assert copies["authenticity"] == 0
    status, _, err = musemo("score", real, fake, "--training", training)
    assert status == 1
    assert "expected --training and --held-out together" in err
    status, _, err = musemo("score", real, fake, "--training", training, "--held-out", training / "none.npz")
    assert status == 1
    assert "found no file at" in err


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (np.zeros((3, 300, 128), np.float32), "expected an array (128, n_frames) or (N, 128, n_frames), got (3, 300"),
        (np.full((3, 128, 300), np.nan, np.float32), "expected finite dB"),
        (np.zeros((3, 128, 300), np.float32), "expected both sides in the same unit"),
        (np.array([{"an": "object"}]), "expected an array of numbers"),
        (np.empty((0, 128, 300), np.float32), "expected clips"),
    ],
)
def test_bad_arrays(musemo, arrays, clips, message):
    status, out, err = musemo("score", arrays("real", spectrograms(4, 0)), arrays("fake", clips))
    assert (status, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--confidence", 95], "expected --confidence in [0, 1), got 95"),
        (["--n-resamples", 1], "--n-resamples of at least 8"),
        (["--n-frames", 1], "--n-frames of at least 2"),
        (["--recogniser", "x"], "expected --emotions with --recogniser"),
        (["--emotions", "none.csv"], "none.csv"),
        (["--embedder", "ears-v1"], "expected --embedder out of"),
        (["--html", "no/such/folder/r.html"], "expected a folder to write no/such/folder/r.html in"),
    ],
)
def test_bad_options(musemo, arrays, more, message):
    folder = arrays("real", spectrograms(4, 0))
    status, out, err = musemo("score", folder, folder, *more)
    assert (status, out) == (1, "")
    assert message in err


def test_folders_that_hold_no_music(musemo, arrays, tmp_path, make_song):
    real = arrays("real", spectrograms(4, 0))
    (tmp_path / "empty").mkdir()
    assert "got 0 other files" in musemo("score", real, tmp_path / "empty")[2]
    make_song("real/a.wav", 1.0)
    assert "expected audio or .npy arrays as REAL" in musemo("score", real, real)[2]
    datasets.Dataset.from_dict({"mel": [1, 2]}).save_to_disk(tmp_path / "stored")
    assert "expected a column `spectrogram`" in musemo("score", tmp_path / "stored", tmp_path / "stored")[2]


def test_a_bad_file_of_a_folder_is_left_out_by_name(musemo, arrays, make_song, tmp_path):
    clips = np.random.default_rng(0).normal(-10, 10, (6, 128, 40)).astype(np.float32)
    real, fake = arrays("real", clips), arrays("fake", clips[:5])
    (fake / "text.npy").write_text("no array")
    (fake / "empty.npy").write_bytes(b"")
    np.save(fake / "shape.npy", np.zeros((3, 3)))
    np.save(fake / os.fsdecode(b"caf\xe9.npy"), clips[5])
    np.save(fake / "objects.npy", np.array([{}]), allow_pickle=True)
    status, _, err = musemo("score", real, fake, "--json", tmp_path / "s.json", "--html", tmp_path / "s.html")
    assert status == 0, err
    side = json.loads((tmp_path / "s.json").read_text())["sides"]["FAKE"]
    assert side["n_clips"] == 6
    assert set(side["left_out"]) == {"text.npy", "empty.npy", "shape.npy", "objects.npy"}
    assert side["left_out"]["shape.npy"] == "expected an array (128, n_frames) or (N, 128, n_frames), got (3, 3)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,valence\na.npy,0.1", "asked.csv:1: expected a column arousal, got file, valence"),
        ("file,valence,arousal\na.npy,0.1,high", ":2: expected numbers, got '0.1', 'high'"),
        ("file,valence,arousal\na.npy,0.1,7", ":2: expected valence and arousal in [-1, 1], got 0.1, 7"),
        ("file,valence,arousal\na.npy,0,0\na.npy,0,0", ":3: expected each file once"),
        ("file,valence,arousal\na.npy,0,0\ncaf\xe9.npy,0,0", "asked.csv:3: expected UTF-8, got the byte 0xe9"),
        ('file,valence,arousal\n"a.npy,0,0\nb.npy,0,0', "asked.csv:2: expected a row on one line"),
        ("file,valence,arousal\na.npy,0", "asked.csv:2: expected numbers, got '0', ''"),
    ],
)
def test_bad_tables_of_emotions(musemo, arrays, tmp_path, recogniser, text, message):
    (tmp_path / "asked.csv").write_bytes(text.encode("cp1252"))
    folder = arrays("real", spectrograms(4, 0))
    status, _, err = musemo("score", folder, folder, "--emotions", tmp_path / "asked.csv", "--recogniser", recogniser)
    assert status == 1
    assert message in err
