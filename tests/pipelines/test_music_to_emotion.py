"""The inputs that the audio pipelines of transformers take, each read to its end, with one answer for one sound."""

import http.server
import threading
from functools import partial

import numpy as np
import pytest
import soundfile
import torch

from musemo_hf import MusemoFeatureExtractor, MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.pipelines.emotion_path import emotion_path
from musemo_hf.pipelines.music_to_emotion import MusicToEmotionPipeline

RATE = 22050
SMALL = {"n_frames": 40, "patch_size": (16, 16), "hidden_size": 16, "num_hidden_layers": 1}
SMALL |= {"num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture(scope="module")
def make_pipeline():
    def make(**changes):
        torch.manual_seed(0)
        model = MusemoViTForEmotionRegression(MusemoViTConfig(**(SMALL | changes)))
        torch.nn.init.normal_(model.regressor.weight, std=0.2)
        return MusicToEmotionPipeline(model.eval(), feature_extractor=MusemoFeatureExtractor(n_frames=40), device="cpu")

    return make


@pytest.fixture(scope="module")
def recognise(make_pipeline):
    return make_pipeline()


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """Four seconds that become louder and higher, so that another part of it has another emotion."""
    time = np.arange(4 * RATE) / RATE
    mono = (0.02 + 0.1 * time) * np.sin(2 * np.pi * (200 + 300 * time) * time)
    path = tmp_path_factory.mktemp("songs") / "song.wav"
    soundfile.write(path, np.stack([mono, 0.5 * mono], axis=1).astype(np.float32), RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def samples(song):
    return soundfile.read(song, dtype="float32")[0]


def row(song, **options):
    from datasets import Audio, Dataset

    return Dataset.from_dict({"audio": [str(song)], "label": [3]}).cast_column("audio", Audio(**options))[0]


def same(answer, expected):
    for name in ("valence", "arousal"):
        assert answer[name] == pytest.approx(expected[name], abs=1e-5)


INPUTS = {
    "a path": lambda song, samples: song,
    "a string": lambda song, samples: str(song),
    "bytes": lambda song, samples: song.read_bytes(),
    "raw": lambda song, samples: {"raw": samples, "sampling_rate": RATE},
    "array": lambda song, samples: {"array": samples, "sampling_rate": RATE},
    "array with a path": lambda song, samples: {"path": "x", "array": samples[:, :1], "sampling_rate": str(RATE)},
    "a tensor": lambda song, samples: {"raw": torch.from_numpy(samples), "sampling_rate": torch.tensor(RATE)},
    "a decoder of datasets": lambda song, samples: row(song)["audio"],
    "a row of datasets": lambda song, samples: row(song),
    "a row without decoding": lambda song, samples: row(song, decode=False),
    "bytes of a row": lambda song, samples: {"bytes": song.read_bytes(), "path": None},
    "samples of torchcodec": lambda song, samples: row(song)["audio"].get_all_samples(),
}


@pytest.mark.parametrize("name", INPUTS)
def test_one_sound_in_many_forms_has_one_emotion(recognise, song, samples, name):
    expected = emotion_path(recognise.model, recognise.feature_extractor, song).mean
    if name == "array with a path":  # mono, at twice the mean of both channels: another sound
        expected = emotion_path(recognise.model, recognise.feature_extractor, samples[:, 0], RATE).mean
    same(recognise(INPUTS[name](song, samples)), dict(zip(("valence", "arousal"), expected, strict=True)))


def test_the_extractor_takes_them_too(recognise, song, samples):
    extract = recognise.feature_extractor
    expected = extract(song)["spectrogram"]
    for given in ({"raw": samples, "sampling_rate": RATE}, row(song)["audio"], row(song, decode=False)):
        torch.testing.assert_close(extract(given)["spectrogram"], expected)
        torch.testing.assert_close(extract([given, song])["spectrogram"], torch.cat([expected, expected]))


def test_a_url_is_fetched(recognise, song):
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=song.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        same(recognise(f"{url}/song.wav"), recognise(song))
        with pytest.raises(ValueError, match=r"/none.wav: expected an audio file, got: .*404"):
            recognise(f"{url}/none.wav")
        server.shutdown()
    with pytest.raises(ValueError, match=r"expected an audio file, got: "):
        recognise(f"{url}/song.wav")


def test_a_song_is_read_to_its_end_as_musemo_predict_reads_it(recognise, song, samples):
    whole, begin = recognise(song), recognise(samples[: len(samples) // 4], sampling_rate=RATE)
    assert abs(whole["arousal"] - begin["arousal"]) > 1e-3, "the end of this song has another emotion"
    path = emotion_path(recognise.model, recognise.feature_extractor, song, hop_seconds=0.2)
    assert len(path.starts) > 10
    same(recognise(song, hop_seconds=0.2), {"valence": path.mean[0], "arousal": path.mean[1]})


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batches_of_windows_keep_songs_apart(recognise, song, samples, batch_size):
    parts = [song, samples[:RATE], {"raw": np.zeros(RATE, np.float32), "sampling_rate": RATE}, str(song)]
    together = recognise(parts, sampling_rate=RATE, batch_size=batch_size)
    for part, answer in zip(parts, together, strict=True):
        same(answer, recognise(part, sampling_rate=RATE))
    assert ["notes" in answer for answer in together] == [False, False, True, False]
    assert together[2]["notes"][0].startswith("The audio is silent")


def test_songs_of_a_generator_or_a_data_set_come_one_by_one(recognise, song):
    from datasets import Audio, Dataset
    from transformers.pipelines.pt_utils import KeyDataset

    rows = Dataset.from_dict({"audio": [str(song)] * 2}).cast_column("audio", Audio())
    for songs in ((part for part in [song, song]), KeyDataset(rows, "audio")):
        answers = list(recognise(songs, batch_size=2))
        assert len(answers) == 2
        for answer in answers:
            same(answer, recognise(song))


@pytest.mark.parametrize("changes", [{"emotion_error": [0.1, 0.2]}, {"uncertainty": True, "deviation_scale": [0.5, 2]}])
def test_intervals_are_those_of_musemo_predict(make_pipeline, song, changes):
    recognise = make_pipeline(**changes)
    path, answer = emotion_path(recognise.model, recognise.feature_extractor, song), recognise(song, batch_size=4)
    for name, interval in zip(("valence", "arousal"), path.interval, strict=True):
        assert answer[f"{name}_interval"] == pytest.approx(interval.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"array": np.zeros(RATE)}, r"expected a dict with array \(or raw\) and sampling_rate.*\['array'\]"),
        ({"raw": None, "sampling_rate": RATE}, r"got the keys \['raw', 'sampling_rate'\]"),
        ({"audio": {"text": "x"}}, r"got the keys \['text'\]"),
        ({"raw": np.zeros((2, RATE)), "sampling_rate": RATE}, "axes swapped"),
        ({"raw": np.ones(RATE) * 3000.0, "sampling_rate": RATE}, "integers are divided"),
        ({"raw": np.zeros(RATE), "sampling_rate": 44.1}, "is it in kHz"),
        (b"no audio", "expected audio"),
        (3, "expected"),
        (None, "expected"),
    ],
)
def test_what_is_no_sound_is_refused_by_name(recognise, given, message):
    with pytest.raises(ValueError, match=message):
        recognise(given)
