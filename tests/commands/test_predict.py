import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest
import soundfile


def predict_json(musemo, *arguments):
    status, out, _ = musemo("predict", *arguments, "--json")
    assert status == 0
    return json.loads(out)["songs"]


def test_a_table(musemo, make_song, recogniser):
    long, short = make_song("long.wav", 4.0), make_song("short.mp3", 0.3)
    status, out, err = musemo("predict", long, short, "--checkpoint", recogniser)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].startswith(str(long))
    assert "4.0 s  8 of 0.906 s" in lines[1]
    assert "1 of 0.906 s" in lines[2]
    assert "not an error: this recogniser is not calibrated" in out
    assert "none: a single window" in out
    assert f"padded with silence: {short}" in lines[-1]


def test_json_has_the_path(musemo, make_song, recogniser):
    (song,) = predict_json(musemo, make_song("a.flac", 4.0), "--checkpoint", recogniser)
    path = song["path"]
    assert len(path) == 8  # 4 s by half windows of 0.906 s
    assert path[0]["start"] == 0
    assert path[-1]["end"] == pytest.approx(4.0, abs=1e-3) == song["duration"]
    for name in ("valence", "arousal"):
        assert song[name] == pytest.approx(np.mean([window[name] for window in path]))
        spread = np.std([window[name] for window in path], ddof=1)
        assert song[f"{name}_interval"] == pytest.approx([song[name] - spread, song[name] + spread])
    assert song["interval"].startswith("spread over windows")
    assert song["interval_source"] == "windows"
    assert "valence_interval" not in path[0]  # a spread over windows is none of a window's own


def test_a_calibrated_recogniser_gives_its_own_interval(musemo, make_song, make_recogniser):
    calibrated = make_recogniser(emotion_error=[0.1, 0.2])
    (song,) = predict_json(musemo, make_song("a.wav", 2.0), "--checkpoint", calibrated)
    for name, error in (("valence", 0.1), ("arousal", 0.2)):
        ends = np.clip([song[name] - 1.96 * error, song[name] + 1.96 * error], -1, 1)
        assert song[f"{name}_interval"] == pytest.approx(ends.tolist())
    assert song["interval"].startswith("95 % interval")
    assert "one for all songs" in song["interval"]
    assert song["interval_source"] == "error"
    nonsense = make_recogniser(emotion_error=[0.1])
    status, _, err = musemo("predict", make_song("a.wav", 2.0), "--checkpoint", nonsense)
    assert status == 1
    assert "expected emotion_error of two positive numbers" in err


def test_deviations_of_its_own_go_before_one_error_for_all(musemo, make_song, make_recogniser):
    long, short = make_song("long.wav", 4.0), make_song("short.wav", 0.9, 1)
    changes = {"uncertainty": True, "emotion_error": [0.001, 0.001]}
    answers = {}
    for scale in ([0.1, 0.2], [0.2, 0.2]):
        checkpoint = make_recogniser(deviation_scale=scale, **changes)
        answers[scale[0]] = predict_json(musemo, long, short, "--checkpoint", checkpoint)
    for narrow, wide in zip(answers[0.1], answers[0.2], strict=True):
        assert "predicted for each window, calibrated" in narrow["interval"]
        assert narrow["interval_source"] == "deviation"
        half, twice = (np.diff(song["valence_interval"])[0] / 2 for song in (narrow, wide))
        assert twice == pytest.approx(2 * half)  # so that a scale which is not applied is found out
        assert half > 1.96 * 0.001
        assert np.diff(narrow["arousal_interval"]) == pytest.approx(np.diff(wide["arousal_interval"]))
        # of the song: its windows' mean deviation, which no number of windows makes smaller
        halves = [np.diff(window["valence_interval"])[0] / 2 for window in narrow["path"]]
        assert half == pytest.approx(np.mean(halves))
        for window in narrow["path"]:
            assert window["valence_interval"][0] < window["valence"] < window["valence_interval"][1]
    assert len(answers[0.1][0]["path"]) == 8
    assert len(np.unique([np.diff(window["valence_interval"]) for window in answers[0.1][0]["path"]])) > 1
    status, out, _ = musemo("predict", long, "--checkpoint", checkpoint)
    assert status == 0
    assert "[low, high]: 95 % interval of the song's mean, from the deviation predicted for each window" in out


def test_deviations_that_were_not_calibrated_are_no_interval(musemo, make_song, make_recogniser):
    raw = make_recogniser(uncertainty=True)
    (song,) = predict_json(musemo, make_song("a.wav", 2.0), "--checkpoint", raw)
    assert song["interval_source"] == "windows"
    measured = make_recogniser(uncertainty=True, emotion_error=[0.1, 0.2])
    (song,) = predict_json(musemo, make_song("a.wav", 2.0), "--checkpoint", measured)
    assert song["interval_source"] == "error"


def test_a_picture(musemo, make_song, recogniser, tmp_path):
    songs = [make_song(f"{seed}.wav", 2.0, seed) for seed in range(4)]
    status, _, _ = musemo("predict", *songs, "--checkpoint", recogniser, "--path-plot", tmp_path / "path.png")
    assert status == 0
    assert (tmp_path / "path.png").read_bytes().startswith(b"\x89PNG")
    status, _, err = musemo("predict", *songs, "--checkpoint", recogniser, "--path-plot", tmp_path / "path.txt")
    assert status == 1
    assert "end in .png" in err


def test_a_bad_song_does_not_cost_the_others(musemo, make_song, recogniser, tmp_path):
    good, click, junk = make_song("good.wav", 2.0), make_song("click.wav", 0.01), tmp_path / "junk.mp3"
    junk.write_bytes(b"no audio")
    missing = tmp_path / "missing.wav"
    status, out, err = musemo("predict", good, click, junk, missing, "--checkpoint", recogniser)
    assert status == 1
    assert str(good) in out
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        str(click),
        str(junk),
        str(missing),
    ]


@pytest.fixture
def folder(make_song, tmp_path):
    """Two good songs, one of them by a name that is not UTF-8, and files with whatever may be wrong."""
    make_song("music/deep/good.flac", 2.0, 1)
    path = make_song("music/plain.wav", 2.0, 2)
    path.rename(os.fsdecode(os.fsencode(path.parent) + b"/caf\xe9.wav"))
    music = tmp_path / "music"
    (music / "empty.mp3").write_bytes(b"")
    (music / "text.ogg").write_text("no audio")
    (music / "half.flac").write_bytes((music / "deep/good.flac").read_bytes()[:4000])
    (music / "bad\nname.wav").write_bytes(b"RIFF" + bytes(100))
    (music / "click.wav").write_bytes(make_song("click.wav", 0.01).read_bytes())
    (music / "dangling.wav").symlink_to(music / "nowhere.wav")
    (music / "cover.jpg").write_bytes(b"")
    return music


BAD = ["bad\nname.wav", "click.wav", "empty.mp3", "half.flac", "text.ogg"]


def test_a_folder_is_predicted_whatever_is_wrong_with_some_files(musemo, folder, recogniser):
    status, out, err = musemo("predict", folder, "--checkpoint", recogniser, "--json")
    assert status == 1, "some could not be read"
    answer = json.loads(out)
    assert [song["file"] for song in answer["songs"]] == [f"{folder}/caf\\xe9.wav", f"{folder}/deep/good.flac"]
    assert [each["file"] for each in answer["skipped"]] == [f"{folder}/{name}" for name in BAD]
    for each in answer["skipped"]:
        assert "expected" in each["reason"]
        assert "\n" not in each["reason"]
        assert each["reason"] in err
    good = musemo("predict", folder / "deep", "--checkpoint", recogniser)
    assert good[0] == 0
    assert "good.flac" in good[1]


def test_a_folder_without_songs_is_named(musemo, tmp_path, make_song, recogniser):
    (tmp_path / "empty").mkdir()
    status, out, err = musemo("predict", tmp_path / "empty", make_song("a.wav"), "--checkpoint", recogniser)
    assert status == 1
    assert "a.wav" in out
    assert err == f"musemo predict: {tmp_path / 'empty'}: expected songs in the folder, found none\n"


def test_a_name_of_other_bytes_passes_through_a_pipe(folder, recogniser):
    """As a user has it: the name as an argument, the answer into a pipe, in a locale that is strict."""
    command = [sys.executable, "-m", "musemo_hf.cli", "predict", "--checkpoint", str(recogniser)]
    name = os.fsencode(folder) + b"/caf\xe9.wav"
    done = subprocess.run([*command, name, name + b"x"], capture_output=True, env=os.environ | {"PYTHONUTF8": "1"})
    assert b"caf\\xe9.wav " in done.stdout
    assert b"caf\\xe9.wavx: expected an audio file" in done.stderr
    assert b"Traceback" not in done.stderr


def test_doubtful_audio_is_named(musemo, tmp_path, make_song, recogniser):
    sound = soundfile.read(make_song("tone.wav", 2.0))[0]
    soundfile.write(tmp_path / "silent.wav", np.zeros(44100), 22050)
    soundfile.write(tmp_path / "cancel.wav", np.stack([sound, -sound], axis=1), 22050)
    songs = [tmp_path / "silent.wav", tmp_path / "cancel.wav", make_song("a.wav", 2.0)]
    status, out, err = musemo("predict", *songs, "--checkpoint", recogniser)
    assert (status, err) == (0, "")
    assert "silent.wav: The audio is silent" in out
    assert "cancel.wav: The channels cancel" in out
    silent, cancel, good = predict_json(musemo, *songs, "--checkpoint", recogniser)
    assert [len(song["notes"]) for song in (silent, cancel, good)] == [1, 1, 0]
    assert cancel["valence"] == pytest.approx(good["valence"], abs=0.02)  # the louder channel, not their mean


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--hop", "0"], "positive --hop"), (["--hop", "nan"], "positive --hop"), (["--checkpoint", "./no"], "at ./no")],
)
def test_bad_options(musemo, make_song, recogniser, more, message):
    status, out, err = musemo("predict", make_song("a.wav"), "--checkpoint", recogniser, *more)
    assert (status, out) == (1, "")
    assert message in err


def test_the_generator_is_no_recogniser(musemo, make_song, generator):
    status, _, err = musemo("predict", make_song("a.wav"), "--checkpoint", generator)
    assert status == 1
    assert "expected a recogniser (musemo_vit)" in err
    assert (
        musemo("predict", "nowhere.mp3")[2]
        == "musemo predict: expected audio files or folders of them, found none at nowhere.mp3\n"
    )


@pytest.fixture
def no_extra(monkeypatch):
    monkeypatch.delenv("MUSEMO_PRETRAINED", raising=False)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)  # as Python marks a module that cannot be imported


def test_without_the_extra_one_line_says_how_to_get_it(musemo, make_song, no_extra):
    status, out, err = musemo("predict", make_song("a.wav"))
    assert status == 0
    assert "recogniser: recogniser (log-mels alone)" in out
    assert err == (
        "musemo predict: the more accurate recogniser-yamnet is not used: the extra yamnet is not installed; get it "
        "by: pip install 'musemo-hf[yamnet]' && musemo predict SONG --checkpoint recogniser-yamnet\n"
    )
    _, out, err = musemo("predict", make_song("a.wav"), "--checkpoint", "recogniser")
    assert ("recogniser: recogniser (log-mels alone)" in out, err) == (True, "")


def test_without_the_file_the_line_names_its_place_and_the_download(musemo, make_song, tmp_path, monkeypatch):
    (tmp_path / "my models").mkdir()
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(tmp_path / "my models"))
    status, _, err = musemo("predict", make_song("a.wav"))
    assert status == 0
    assert (
        f"YAMNet's file is not in {tmp_path}/my models, which MUSEMO_PRETRAINED names; get it by: hf download " in err
    )
    download = shlex.split(err.split("get it by: ")[1])
    assert download[-2:] == ["--local-dir", f"{tmp_path}/my models"]
    (tmp_path / "my models" / download[3]).write_bytes(b"another file")
    status, _, err = musemo("predict", make_song("a.wav"))
    assert status == 1
    assert "not used" not in err
    assert "expected a file with the SHA-256" in err


def test_an_empty_cache_of_the_hub(make_song, tmp_path):
    """In another process, since the Hub's client reads where its cache is once."""
    environment = {name: value for name, value in os.environ.items() if name != "MUSEMO_PRETRAINED"}
    command = [sys.executable, "-m", "musemo_hf.cli", "predict", str(make_song("a.wav"))]
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_CACHE": str(tmp_path / "home/hub")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == (
        "musemo predict: the more accurate recogniser-yamnet is not used: YAMNet's file is not in the cache of the "
        "Hub; get it by: musemo predict SONG --checkpoint recogniser-yamnet\n"
    )
    asked = subprocess.run(
        [*command, "--checkpoint", "recogniser-yamnet"], capture_output=True, text=True, env=environment, check=False
    )
    assert asked.returncode == 1
    assert "YAMNet: expected its file from the Hub" in asked.stderr  # which the command would have fetched


@pytest.mark.parametrize("extra", [True, False])
def test_a_folder_of_pretrained_files_that_does_not_exist(musemo, make_song, monkeypatch, tmp_path, extra):
    if not extra:
        monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(tmp_path / "typo"))
    status, out, err = musemo("predict", make_song("a.wav"))
    assert (status, out) == (1, "")
    assert err == (
        f"musemo predict: expected MUSEMO_PRETRAINED to name a folder of pretrained files, found none at "
        f"{tmp_path / 'typo'}\n"
    )
