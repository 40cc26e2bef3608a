import logging
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from musemo_hf.audio.mel import log_mel
from musemo_hf.pipelines.embedders.audio_embedder import invert
from musemo_hf.pipelines.embedders.feature_cache import FeatureCache
from musemo_hf.pipelines.embedders.sound_features import check_comparable, sound_features

N_FRAMES = 44  # one second


@pytest.fixture
def measured(tiny_embedder):
    """Calls `sound_features` without a cache, and counts the clips that the model has heard."""
    heard = []

    def waveforms(clips, rate):
        heard.extend(clips)
        return tiny_embedder.embed_waveforms(clips, rate)

    counted = replace(tiny_embedder, embed_waveforms=waveforms)

    def measure(sounds, cache=False, **options):
        return sound_features(sounds, counted, n_frames=N_FRAMES, cache=cache, **options)

    measure.heard = heard
    return measure


def log_mels(files):
    clips = [torch.from_numpy(soundfile.read(file, dtype="float32")[0]) for file in files]
    return np.stack([log_mel(clip[:22050]).numpy() for clip in clips])


def test_a_missing_file_is_missing_in_plain_words(measured, song_files, tmp_path):
    found = measured([*song_files(1), tmp_path / "none.wav"])
    assert [*found.left_out.values()] == ["No such file or directory"]


def test_files_as_they_are(measured, tiny_embedder, song_files):
    files = song_files(3)
    answer = measured(files)
    clips = [soundfile.read(file, dtype="float32")[0][:22050] for file in files]
    np.testing.assert_allclose(answer.features, tiny_embedder.embed_audio(clips, 22050), atol=1e-5)
    assert (answer.names, answer.route, answer.embedder) == ([str(file) for file in files], "audio", "tiny-v1")
    assert answer.duration == pytest.approx(1.0, abs=0.03)


def test_files_and_log_mels_go_the_same_way_where_files_are_resynthesised(measured, tiny_embedder, song_files):
    files = song_files(2)
    real, arrays = measured(files, resynthesise=True), measured(log_mels(files))
    np.testing.assert_allclose(real.features, arrays.features, atol=1e-4)
    np.testing.assert_allclose(arrays.features, tiny_embedder.embed_audio(invert(log_mels(files)), 22050), atol=1e-5)
    check_comparable(real=real, generated=arrays)
    as_they_are = measured(files)
    with pytest.raises(ValueError, match=r"got .* of audio sound by tiny-v1 as real, .* of inverted sound"):
        check_comparable(real=as_they_are, generated=arrays)


def test_normalised_log_mels_are_those_in_decibels(measured, song_files):
    decibels = np.clip(log_mels(song_files(1)), -60, 40)
    normalised = measured([(decibels[0] + 10) / 50])
    np.testing.assert_allclose(normalised.features, measured(decibels[:, None]).features, atol=1e-3)


def test_what_was_measured_before_is_read_from_the_cache(measured, song_files, tmp_path):
    files, cache = song_files(3), FeatureCache(tmp_path / "cache" / "f.sqlite")
    first = measured(files[:2], cache)
    assert len(measured.heard) == 2
    again = measured(files, cache)
    assert len(measured.heard) == 3
    np.testing.assert_array_equal(again.features[:2], first.features)
    np.testing.assert_allclose(measured(files).features, again.features, atol=1e-6)
    measured.heard.clear()
    measured(files, cache, resynthesise=True)
    assert len(measured.heard) == 3, "another way to sound is another key"
    copy = tmp_path / "copy.wav"
    copy.write_bytes(files[0].read_bytes())
    np.testing.assert_array_equal(measured([copy], cache).features[0], first.features[0])
    soundfile.write(files[0], 0.5 * soundfile.read(files[1])[0], 22050)
    measured(files, cache)
    assert len(measured.heard) == 4, "another content is another key"


def test_a_damaged_cache_costs_time_and_no_result(measured, song_files, tmp_path, caplog):
    files, path = song_files(2), tmp_path / "f.sqlite"
    expected = measured(files, FeatureCache(path)).features
    with sqlite3.connect(path) as connection:  # one bit of one value
        key, value = connection.execute("SELECT key, value FROM features").fetchone()
        flipped = value[:9] + bytes([value[9] ^ 1]) + value[10:]
        connection.execute("UPDATE features SET value = ? WHERE key = ?", (flipped, key))
    measured.heard.clear()
    np.testing.assert_allclose(measured(files, FeatureCache(path)).features, expected, atol=1e-6)
    assert len(measured.heard) == 1
    path.write_bytes(b"no database at all" * 100)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(measured(files, FeatureCache(path)).features, expected, atol=1e-6)
    assert "cannot be used, and may be deleted" in caplog.text


def test_several_processes_share_a_cache(tmp_path):
    path = tmp_path / "f.sqlite"
    code = f"""
import sys, numpy as np
from pathlib import Path
from musemo_hf.pipelines.embedders.feature_cache import FeatureCache
cache, own = FeatureCache(Path({str(path)!r})), int(sys.argv[1])
for row in range(40):
    cache.write({{bytes([own, row]): np.full(64, 100 * own + row, np.float32)}})
    assert cache.read([bytes([own, row])])[bytes([own, row])][0] == 100 * own + row
"""
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(own)], env=os.environ, stderr=subprocess.PIPE, text=True)
        for own in range(2)
    ]
    errors = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    keys = [bytes([own, row]) for own in range(2) for row in range(40)]
    found = FeatureCache(path).read(keys)
    assert [found[key][-1] for key in keys] == [100 * own + row for own in range(2) for row in range(40)]


def test_bad_files_are_left_out_by_name(measured, song_files, tmp_path, song):
    files = song_files(2)
    bad = {name: tmp_path / name for name in ("junk.mp3", "short.wav", "slow.wav", "none.wav")}
    bad["junk.mp3"].write_bytes(b"no audio")
    soundfile.write(bad["short.wav"], song(0.5), 22050)
    soundfile.write(bad["slow.wav"], song(2, rate=8000), 8000)
    answer = measured([files[0], *bad.values(), files[1]])
    assert answer.names == [str(file) for file in files]
    assert list(answer.left_out) == [str(path) for path in bad.values()]
    reasons = [answer.left_out[str(path)] for path in bad.values()]
    for reason, expected in zip(
        reasons,
        ("soundfile can decode", "it breaks off after 0.50 s", "at least 16,000 Hz, as other sound has, got 8,000", ""),
        strict=True,
    ):
        assert expected in reason
    with pytest.raises(ValueError, match="expected sound, got none from 4 files: "):
        measured(list(bad.values()))


@pytest.mark.parametrize(
    ("sounds", "message"),
    [
        ([], "expected audio files or log-mels, got none"),
        (["a.wav", np.zeros((128, 44), np.float32)], "got 1 files among 2 clips"),
        (["a.wav", "b.wav", "a.wav"], "expected each file once, got a.wav again"),
        (np.zeros((2, 128, 20), np.float32), "log-mels of at least 44 frames, got 20 as clip 0"),
        (np.full((1, 128, 44), np.nan, np.float32), "expected finite dB"),
        (np.zeros((1, 64, 44), np.float32), "expected a clip of shape"),
    ],
)
def test_bad_input(measured, sounds, message):
    with pytest.raises(ValueError, match=message):
        measured(sounds)


def test_an_embedder_of_log_mels_is_refused():
    with pytest.raises(ValueError, match="expected an embedder of audio, such as yamnet, got modulation-v1"):
        sound_features(np.zeros((1, 128, 44), np.float32), "modulation-v1", cache=False)
