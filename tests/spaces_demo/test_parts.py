"""The page's parts by themselves: gain, axes, windows, the plane, the words on the report."""

import importlib.util
import io
import json
import warnings
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import gradio as gr
import librosa
import numpy as np
import orjson
import pytest
import soundfile
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from musemo_hf import MusemoPipeline, embedded_checkpoint

SPACE = Path(__file__).parents[2] / "spaces_demo"


@pytest.fixture(scope="module")
def density():
    """The script that counts songs."""
    path = SPACE.parent / "docs" / "make_density.py"
    module = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("make_density", path))
    spec.loader.exec_module(module)
    return module


def test_presets_are_those_of_the_pipeline():
    import presets

    from musemo_hf.pipelines.song import PRESETS, TYPICAL_PRESETS

    assert (presets.PRESETS, presets.TYPICAL_PRESETS) == (PRESETS, TYPICAL_PRESETS)


def test_gain_is_fixed():
    from playback import REFERENCE_GAIN, to_int16, wav_bytes

    quiet, loud = np.full(10, 0.01, np.float32), np.full(10, 1.0, np.float32)
    assert to_int16(loud)[0] == round(32767 * REFERENCE_GAIN)
    assert to_int16(loud)[0] / to_int16(quiet)[0] == pytest.approx(100, rel=0.02)
    assert to_int16(np.float32([500.0, -500.0])).tolist() == [32767, -32767]
    samples, rate = soundfile.read(io.BytesIO(wav_bytes(quiet, 22050)), dtype="int16")
    assert rate == 22050
    np.testing.assert_allclose(samples, to_int16(quiet), atol=1)


def test_spectrogram_has_low_bands_at_the_bottom_and_a_fixed_scale():
    from playback import spectrogram_png

    decibels = np.full((128, 50), -60.0)
    decibels[0] = 40.0
    pixels = np.asarray(Image.open(io.BytesIO(spectrogram_png(decibels))).convert("RGB")).sum(axis=2)
    assert pixels.shape == (128, 50)
    assert pixels[-1].min() > 500
    assert pixels[:-1].max() < 20


def test_frequency_ticks_lie_on_the_band_that_hears_them():
    from playback import frequency_ticks

    ticks = dict(frequency_ticks(128, 22050))
    tone = librosa.feature.melspectrogram(y=librosa.tone(2000, sr=22050, duration=1), sr=22050, n_mels=128).mean(axis=1)
    assert ticks["2k"] * 128 == pytest.approx(tone.argmax() + 0.5, abs=1)


@pytest.mark.parametrize("seconds", [2.95, 10.008, 30.0, 600])
def test_time_ticks_are_few_and_inside(seconds):
    from playback import time_ticks

    ticks = time_ticks(seconds)
    assert 3 <= len(ticks) <= 7
    assert ticks[0] == ("0 s", 0)
    assert ticks[-1][1] <= 1


def test_the_plane_puts_a_point_where_it_is():
    from plane import empty_plane, song_plane, to_x, to_y

    ElementTree.fromstring(empty_plane())
    drawn = ElementTree.fromstring(
        song_plane(np.array([[0.2, 0.4], [0.6, 0.8]]), np.array([0.4, 0.6]), np.array([[-1, 1], [0.5, 0.7]]))
    )
    point = next(node for node in drawn if node.get("class") == "point")
    assert (float(point.get("cx")), float(point.get("cy"))) == (to_x(0.4), to_y(0.6))
    box = next(node for node in drawn if node.get("class") == "interval")
    assert float(box.get("width")) == pytest.approx(to_x(1) - to_x(-1))
    assert float(box.get("height")) == pytest.approx(to_y(0.5) - to_y(0.7))


def test_what_is_found_is_drawn_and_said():
    from plane import found_on_plane, songs_near, to_x, to_y

    near, far = ((0.1, 0.1), np.array([0.3, -0.2])), ((0.95, -0.95), np.array([0.1, 0.0]))
    shown = found_on_plane([near], np.array([0.4, 0.36]))
    assert shown["pairs"] == [(to_x(0.1), to_y(0.1), to_x(0.3), to_y(-0.2))]
    assert shown["text"].endswith("Recognised: valence +0.30, arousal \N{MINUS SIGN}0.20 (± 0.4).")
    both = found_on_plane([near, far], None)["text"]
    assert "on average: valence +0.20, arousal \N{MINUS SIGN}0.10. Few songs" in both
    assert songs_near(0.1, 0.1) > 100
    assert [songs_near(v, a) for v in (-1, 1) for a in (-1, 1)] == [0, 0, 0, 0]


def test_songs_are_counted_within_a_radius(density):
    emotion = np.array([[0.05, 0.05]] * 3 + [[-0.95, 0.95]] * 2 + [[0.95, -0.95]] * 4)
    counts = density.count_songs(emotion)
    rows, columns = np.nonzero(counts)
    centres = np.stack([(columns + 0.5) / 10 - 1, 1 - (rows + 0.5) / 10], axis=1)
    distance = np.linalg.norm(centres[:, None] - emotion[None], axis=2)
    np.testing.assert_array_equal(counts[rows, columns], (distance <= 0.2 + 1e-9).sum(axis=1))
    assert counts[9, 10] == 3
    assert counts[0, 0] == 0, "two songs are too few to be written"
    assert counts[19, 19] == 4


@pytest.mark.deam
def test_the_shading_is_that_of_the_training_songs(deam_dir, density, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["make_density.py", "--data-dir", str(deam_dir), "--output", str(tmp_path / "a")])
    density.main()
    assert (tmp_path / "a").read_text() == (SPACE / "assets" / "songs.json").read_text()


def test_a_generator_says_what_it_can_do(checkpoints, tmp_path, monkeypatch):
    from abilities import Abilities, read_abilities

    said = {}
    for name in ("generator", "unet"):
        monkeypatch.setenv("MUSEMO_GENERATOR", str(checkpoints[name]))
        said[name] = read_abilities()
    monkeypatch.setenv("MUSEMO_GENERATOR", str(tmp_path))
    assert read_abilities() == Abilities("unknown")
    assert (said["generator"].can_vary, said["generator"].conditions) == (False, ())
    assert (said["unet"].can_vary, said["unet"].conditions) == (True, ("loudness", "tempo"))
    assert said["unet"].name.startswith("unet-")
    MusemoPipeline.from_pretrained(checkpoints["unet"]).save_pretrained(tmp_path)
    assert read_abilities().conditions == ("loudness", "tempo"), "of a saved pipeline"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"valence": "0", "arousal": "nan"}, "between -1 and 1, got nan"),
        ({"valence": "0", "arousal": "0", "samples": "5"}, "1 to 4 samples"),
        ({"valence": "0", "arousal": "0", "seed": "1.5"}, "no number"),
        ({"valence": "0", "arousal": "0", "tempo": "3000"}, "tempo from 40 to 240 beats per minute, got 3000"),
        ({"valence": "0", "arousal": "0", "genre": "Polka"}, "a genre out of Jazz, Rock, got Polka"),
    ],
)
def test_a_link_with_a_wrong_value_is_refused(query, said):
    from abilities import Abilities
    from link import read_link

    with pytest.raises(gr.Error, match=said):
        read_link(query, Abilities("unet", True, ("tempo",), ("Jazz", "Rock")))


def test_a_link_says_all_that_a_sound_needs():
    from abilities import Abilities
    from link import Linked, read_link

    able = Abilities("unet-1234", True, ("tempo",))
    query = {"valence": "0.5", "arousal": "-0.5", "seed": "7", "samples": "2", "tempo": "90", "generator": "unet-1234"}
    assert read_link(query, able) == Linked(0.5, -0.5, 7, 2, {"tempo": 90.0}, True)
    assert read_link({"valence": "0", "arousal": "0", "x": "y"}, able) == Linked(0, 0, None, 1, {}, True)
    assert read_link({"__theme": "dark"}, able) is None
    knows_genres = Abilities("unet-1234", True, ("tempo",), ("Jazz",))
    assert read_link(query | {"genre": "Jazz"}, knows_genres) == Linked(0.5, -0.5, 7, 2, {"tempo": 90.0}, True, "Jazz")
    assert read_link(query | {"genre": "Jazz"}, able).genre is None
    assert not read_link(query, Abilities("flow-1234")).is_same_generator


def test_nothing_measured_is_said():
    from tabs.quality import quality_html

    for report in (None, {}, [], {"quality": 3}, {"quality": {"quality_score": float("nan")}}):
        said = quality_html(report)
        assert "Not measured" in said
        assert "Reference scale" not in said


def test_a_report_is_shown_with_its_reason_and_escaped():
    from tabs.quality import quality_html

    quality = {"quality_score": 50.0, "tier": "<b>", "skill": None, "notes": {"skill": "too few clips"}}
    said = quality_html({"quality": quality})
    assert "too few clips" in said
    assert "<b>50.0</b>" in said
    assert "&lt;b&gt;" in said


def test_the_skill_through_sound_comes_first():
    from tabs.quality import quality_html

    report = {"external_skill": 0.613, "external_skill_interval": [0.5, 0.7], "quality": {"quality_score": 98.4}}
    said = quality_html(report)
    assert "likeness to music: 61 % of the way from the best noise to other real songs (0.50 to 0.70)" in said
    assert said.index("likeness to music") < said.index("quality score")
    assert "likeness to music: not measured" in quality_html({"quality": {"quality_score": 98.4}})


def keys_of(value):
    """Yield the keys of all objects within a value of JSON."""
    for key, part in value.items() if isinstance(value, dict) else ():
        yield key
        yield from keys_of(part)
    for part in value if isinstance(value, list) else ():
        yield from keys_of(part)


@pytest.mark.reliability("a report.json of any shape, shown on the page", "well-formed HTML, and JSON for a browser")
def test_no_report_breaks_the_page(tally, long_form, tmp_path, monkeypatch):
    from tabs.quality import load_report, quality_html

    names = ["quality", "quality_score", "skill", "skill_interval", "value", "interval", "ladder", "white", "real"]
    names += ["notes", "tier", "n_predictions", "n_references", "embedder", "__type__", "meta", "_type", "path"]
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("<b>&\0\ud800")
    values = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner, max_size=9)
    )
    reports = values | st.fixed_dictionaries({"quality": st.dictionaries(st.sampled_from(names), values, max_size=9)})
    monkeypatch.setenv("MUSEMO_GENERATOR", str(tmp_path))

    @settings(max_examples=1500 if long_form else 60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(reports)
    def check(report):
        (tmp_path / "report.json").write_text(json.dumps(report))
        page, answer = quality_html(report), json.loads(orjson.dumps(load_report()))
        is_plain = "<b>&" not in page and not {"__type__", "path"} & set(keys_of(answer))
        tally(is_plain and ElementTree.fromstring(page) is not None, f"{report!r:.200}")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check()
    tally.assert_nothing_lost()


def test_a_report_that_is_not_json_is_no_report(tmp_path, monkeypatch):
    from tabs.quality import load_report

    monkeypatch.setenv("MUSEMO_GENERATOR", str(tmp_path))
    assert load_report() is None
    (tmp_path / "report.json").write_text("{")
    with pytest.warns(UserWarning, match="no report is shown"):
        assert load_report() is None
    (tmp_path / "report.json").write_text(json.dumps({"quality_score": 3}))
    assert load_report() == {"quality_score": 3}


def test_a_missing_checkpoint_is_said_on_the_page(tmp_path, monkeypatch):
    from studio import Studio

    monkeypatch.setenv("MUSEMO_GENERATOR", str(tmp_path))
    with pytest.raises(gr.Error, match="generator could not be loaded"):
        Studio().get("generator")


@pytest.mark.parametrize(
    ("name", "value", "folder"),
    [
        ("generator", "flow", "flow"),
        ("generator", "generator", "generator"),
        ("generator", "", "flow"),
        ("recogniser", "recogniser", "recogniser"),
        ("generator", "user/music", None),
    ],
)
def test_a_variable_names_a_checkpoint_as_the_commands_do(monkeypatch, name, value, folder):
    from studio import checkpoint

    monkeypatch.setenv(f"MUSEMO_{name.upper()}", value)
    assert checkpoint(name) == (value if folder is None else embedded_checkpoint(folder))


def test_a_variable_that_names_no_checkpoint_is_an_error(monkeypatch):
    from studio import Studio
    from tabs.quality import load_report

    monkeypatch.setenv("MUSEMO_GENERATOR", "flwo")
    with pytest.raises(gr.Error, match=r"expected a generator's folder, or its repository as user/name.* at flwo"):
        Studio().get("generator")
    assert load_report() is None


def test_the_space_names_its_files():
    header = yaml.safe_load((SPACE / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert header["sdk"] == "gradio"
    assert (SPACE / header["app_file"]).is_file()
    assert len(header["short_description"]) <= 60  # the Hub refuses more


@pytest.mark.parametrize(
    ("calibration", "source", "words"),
    [
        (
            {"uncertainty": True, "deviation_scale": [0.02, 0.05]},
            "deviation",
            "the deviation predicted for each window",
        ),
        (
            {"uncertainty": True, "deviation_scale": [0.02, 0.05], "emotion_error": [0.9, 0.9]},
            "deviation",
            "calibrated",
        ),
        ({"emotion_error": [0.25, 0.2]}, "error", "calibrated error, one for all songs"),
        ({}, "windows", "not an error"),
    ],
)
def test_the_page_reads_songs_and_intervals_as_the_package_does(
    checkpoints, song, tmp_path, monkeypatch, calibration, source, words
):
    import listening
    import studio

    from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression

    config = MusemoViTForEmotionRegression.from_pretrained(checkpoints["recogniser"]).config
    torch.manual_seed(0)
    config.update(calibration)
    model = MusemoViTForEmotionRegression(config).eval()
    model.save_pretrained(tmp_path)
    extractor = MusemoFeatureExtractor.from_pretrained(checkpoints["recogniser"])
    extractor.save_pretrained(tmp_path)
    monkeypatch.setenv("MUSEMO_GENERATOR", str(checkpoints["generator"]))
    monkeypatch.setenv("MUSEMO_RECOGNISER", str(tmp_path))
    loaded = studio.Studio()
    monkeypatch.setattr(studio, "STUDIO", loaded)
    monkeypatch.setattr(listening, "STUDIO", loaded)

    samples = listening.read_song(str(song))
    path = listening.recognise(samples)
    length = extractor.settings.n_samples(extractor.n_frames)
    windows = [samples[start : start + length] for start in (path.starts * extractor.sampling_rate).round().astype(int)]
    assert len(windows) > 3
    with torch.no_grad():
        output = model(extractor(windows, sampling_rate=extractor.sampling_rate)["spectrogram"])
    emotion = output.emotion.numpy().clip(-1, 1)
    if source == "windows":
        half = emotion.std(axis=0, ddof=1)
    else:
        half = 1.96 * (output.deviation.mean(dim=0).numpy() if source == "deviation" else np.array([0.25, 0.2]))
    mean = emotion.mean(axis=0)
    expected = np.stack([mean - half, mean + half], axis=1).clip(-1, 1)
    answer = path.to_dict()
    assert answer["interval_source"] == source
    np.testing.assert_allclose([answer["valence_interval"], answer["arousal_interval"]], expected, atol=1e-4)
    plane, said = listening.reading_html(path)
    assert words in said
    box = next(node for node in ElementTree.fromstring(plane) if node.get("class") == "interval")
    assert float(box.get("width")) == pytest.approx(190 * np.ptp(expected[0]), abs=0.1)


def test_a_vocoder_that_is_configured_plays_the_songs(tmp_path, checkpoints, tiny_vocoder, monkeypatch):
    import studio

    monkeypatch.setenv("MUSEMO_GENERATOR", str(checkpoints["generator"]))
    griffin_lim = studio.Studio().get("generator")
    tiny_vocoder(64, 16000, (5, 4, 2, 2, 2)).save_pretrained(tmp_path)
    monkeypatch.setenv("MUSEMO_VOCODER", str(tmp_path))
    monkeypatch.setattr(studio, "STUDIO", studio.Studio())
    sound = next(studio.make_sounds(0.8, 0.7, 3, 1))[0]
    assert griffin_lim.vocoder is None
    expected = griffin_lim(0.8, 0.7, seed=3).songs[0]
    np.testing.assert_allclose(sound.spectrogram, expected.spectrogram, atol=1e-3)
    assert sound.audio.shape == expected.audio.shape
    assert np.abs(sound.audio - expected.audio).max() > 0.01
