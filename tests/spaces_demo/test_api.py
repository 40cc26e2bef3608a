"""The page as a service: named endpoints through gradio_client, limits, bad uploads, many callers."""

import io
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

PATIENT = {"timeout": 120}  # httpx gives up after 5 s without an answer, which other work on the cores can take


@pytest.fixture(scope="module")
def client(url, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("downloads"))
    return Client(url, download_files=folder, httpx_kwargs=PATIENT, verbose=False)


def wave(path: Path, seconds: float, rate: int = 8000, level: float = 0.1) -> Path:
    samples = level * np.sin(np.arange(round(seconds * rate)) * 0.2)
    soundfile.write(path, samples, rate, subtype="PCM_U8")
    return path


def test_endpoints_have_names(client):
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/generate", "/predict", "/invert", "/report"}
    names = [parameter["parameter_name"] for parameter in named["/generate"]["parameters"]]
    assert names[:4] == ["valence", "arousal", "seed", "num_samples"]
    assert names[4:] == ["loudness", "brightness", "tempo", "genre"]


def test_generate_keeps_true_loudness(client, checkpoints):
    """16 bits at the fixed gain, what the pipeline makes: no scaling by the peak anywhere."""
    from playback import REFERENCE_GAIN

    from musemo_hf import MusemoPipeline

    files, about = client.predict(0.5, -0.5, 7, 2, api_name="/generate")
    assert [song["seed"] for song in about["songs"]] == [7, 8]
    assert about["gain"] == REFERENCE_GAIN
    songs = MusemoPipeline.from_pretrained(checkpoints["generator"])(0.5, -0.5, num_samples=2, seed=7).songs
    for file, song in zip(files, songs, strict=True):
        samples, rate = soundfile.read(file, dtype="int16")
        assert rate == song.sampling_rate
        expected = song.audio * REFERENCE_GAIN * 32767
        error = samples - expected  # batches and threads sum in another order, which Griffin-Lim magnifies
        assert np.linalg.norm(error) < 0.01 * np.linalg.norm(expected)


def test_generate_draws_a_seed_where_none_is_given(client):
    seeds = [client.predict(0, 0, None, 1, api_name="/generate")[1]["songs"][0]["seed"] for _ in range(2)]
    assert seeds[0] != seeds[1]


@pytest.mark.parametrize(("arguments", "said"), [((3, 0, 0, 1), "3"), ((0, 0, 0, 9), "9"), ((0, 0, -1, 1), "-1")])
def test_generate_refuses_what_lies_outside(client, arguments, said):
    with pytest.raises(AppError, match=said):
        client.predict(*arguments, api_name="/generate")


def test_predict_gives_the_way_over_time(client, song):
    reading = client.predict(handle_file(song), api_name="/predict")
    assert -1 <= reading["valence"] <= 1
    assert reading["valence_interval"][0] <= reading["valence"] <= reading["valence_interval"][1]
    assert reading["duration"] == pytest.approx(12, abs=0.2)
    starts = [window["start"] for window in reading["windows"]]
    assert starts == sorted(starts)
    assert starts[0] == 0
    assert starts[-1] + reading["window_seconds"] == pytest.approx(reading["duration"], abs=0.01)
    assert np.mean([window["arousal"] for window in reading["windows"]]) == pytest.approx(reading["arousal"], abs=1e-5)


def test_predict_of_one_window_claims_no_interval(client, tmp_path):
    reading = client.predict(handle_file(wave(tmp_path / "short.wav", 2)), api_name="/predict")
    assert len(reading["windows"]) == 1
    assert reading["valence_interval"] is None


def test_invert_keeps_length_and_loudness(client, tmp_path):
    from playback import REFERENCE_GAIN

    rebuilt, rate = soundfile.read(client.predict(handle_file(wave(tmp_path / "tone.wav", 5)), api_name="/invert"))
    assert len(rebuilt) / rate == pytest.approx(5, abs=0.05)
    assert np.sqrt(np.mean(rebuilt**2)) == pytest.approx(REFERENCE_GAIN * 0.1 / np.sqrt(2), rel=0.2)


def test_report_is_that_of_the_checkpoint(client):
    report = client.predict(api_name="/report")
    assert report["quality"]["quality_score"] == 61.25
    assert report["visible"] is False
    assert report["attachment"] == {"meta": {"_type": "gradio.FileData"}}  # neither served nor fetched
    assert (report["large"], report["unfinished"]) == (1e40, "?")


def arguments(number: int) -> list:
    return [(number % 11) / 5 - 1, (number % 7) / 3 - 1, number, 1]


def test_twenty_callers_at_once(url, tmp_path):
    """Each has a client of its own, for one call: calls of one client at the same time share a stream of answers, and
    gradio_client cancels those that the server does not count yet when it closes that stream.
    """
    clients = [Client(url, download_files=str(tmp_path), httpx_kwargs=PATIENT, verbose=False) for _ in range(20)]

    def ask(number: int) -> str:
        files, about = clients[number].predict(*arguments(number), api_name="/generate")
        assert about["songs"][0]["seed"] == number
        return files[0]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    assert all(soundfile.info(answer).frames == 65024 for answer in answers)


@pytest.mark.slow
@pytest.mark.reliability("calls of the Space, twenty at once", "each is answered with a song of its own")
def test_two_hundred_calls_with_twenty_at_once(call, tally):
    """Each call has a stream of its own, so that what is tried is the Space and not a client."""

    def ask(number: int) -> tuple[str, object, int]:
        event, answer = call("generate", arguments(number))
        if event != "complete":
            return event, answer, 0
        with urllib.request.urlopen(answer[0][0]["url"]) as file:
            content = file.read()
        return answer[0][0]["path"], answer[1]["songs"][0]["seed"], soundfile.info(io.BytesIO(content)).frames

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(200)))
    paths = [path for path, _, _ in answers]
    for number, (path, seed, frames) in enumerate(answers):
        tally((seed, frames, paths.count(path)) == (number, 65024, 1), f"call {number}: {path} {seed} {frames}")
    tally.assert_nothing_lost()


@pytest.mark.slow
@pytest.mark.reliability("calls of the Space, a hundred at once", "answered, or told that the queue is full")
def test_more_callers_than_the_queue_holds(call, tally):
    """66 find a place: two that are computed, and 64 that wait."""

    def ask(number: int) -> tuple[str, object]:
        try:
            return call("generate", [0, 0, number, 1])
        except urllib.error.HTTPError as error:
            return str(error.code), error.read().decode()

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(100)))
    for number, (event, answer) in enumerate(answers):
        is_told = event == "503" and "Queue is full" in answer
        tally(is_told or (event == "complete" and answer[1]["songs"][0]["seed"] == number), f"call {number}: {answer}")
    assert any(event == "503" for event, _ in answers)
    tally.assert_nothing_lost()
