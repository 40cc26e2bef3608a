import numpy as np
import pytest
from matplotlib.image import imread

from musemo_hf.data.deam.annotations import AnnotationError
from musemo_hf.data.deam.emomusic import read_emomusic
from musemo_hf.experiments.label_audit.evidence import audit_labels, correlate, log_mel_statistics
from musemo_hf.experiments.label_audit.page import write_audit

EMOTIONS = np.random.default_rng(0).uniform(-0.8, 0.8, (100, 2))
IDS = [*range(1, 51), *range(1001, 1051)]


def sound(valence, arousal, seed):
    """Pitch follows valence and level arousal: what a regression has to find."""
    time = np.arange(round(10.1 * 22050)) / 22050
    tone = np.sin(2 * np.pi * 600 * 2 ** (1.5 * valence) * time)
    noise = np.random.default_rng(seed).normal(0, 0.1, len(time))
    return (10 ** (-1.2 + 0.6 * arousal) * (tone + noise)).astype(np.float32)


@pytest.fixture
def audit(deam_folder, tmp_path):
    def audit_(swapped, emomusic=None):
        for index, (song_id, (valence, arousal)) in enumerate(zip(IDS, EMOTIONS, strict=True)):
            label = (5 + 4 * valence, 1 + 0.3 * arousal, 5 + 4 * arousal, 2 + 0.3 * valence)
            if swapped and song_id <= 1000:
                label = label[2:] + label[:2]
            deam_folder.add(song_id, sound(valence, arousal, index), label, f"Artist {index // 2}", suffix=".wav")
        return audit_labels(deam_folder.write(), emomusic, cache_dir=tmp_path / "cache")

    return audit_


@pytest.fixture
def emomusic(tmp_path):
    folder = tmp_path / "emomusic"
    folder.mkdir()
    rng = np.random.default_rng(1)
    static = ["song_id,mean_arousal,std_arousal,mean_valence,std_valence"]
    dynamic = {name: ["song_id,sample_15000ms,sample_15500ms"] for name in ("valence", "arousal")}
    for song_id, emotion in zip(IDS[:50], EMOTIONS, strict=False):
        valence, arousal = 5 + 4 * emotion
        static.append(f"{song_id},{arousal},{2 + rng.normal(0, 0.1)},{valence},{1 + rng.normal(0, 0.1)}")
        for name, value in zip(("valence", "arousal"), emotion, strict=True):
            dynamic[name].append(f"{song_id},{value + 0.1},{value - 0.1 if song_id % 2 else ''}")
    (folder / "static_annotations.csv").write_text("\n".join(static) + "\n")
    for name, lines in dynamic.items():
        (folder / f"{name}_cont_average.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_swapped_labels_show_each_sign_and_right_ones_none(audit, emomusic):
    found = audit(swapped=True, emomusic=emomusic)
    assert (found.n_2013, found.n_later, found.n_artists) == (50, 50, 50)
    assert found.loudness["later", "arousal_mean"].r > 0.8 > abs(found.loudness["later", "valence_mean"].r) + 0.3
    assert found.loudness["2013", "valence_mean"].r > 0.8 > abs(found.loudness["2013", "arousal_mean"].r) + 0.3
    assert found.difference["later"].low > 0.5
    assert found.difference["2013"].high < -0.5
    assert found.transfer["arousal", "valence_mean"].r > 0.7 > found.transfer["arousal", "arousal_mean"].r + 0.3
    assert found.folds["corrected", "arousal"].r > found.folds["published", "arousal"].r + 0.1
    assert (found.emomusic.n, found.emomusic.equal_opposite) == (50, 1.0)
    assert found.emomusic.equal_same < 0.1
    assert found.emomusic.correlations["valence_mean", "arousal"].r > 0.95
    assert found.emomusic.correlations["arousal_mean", "valence"].r > 0.95

    right = audit(swapped=False, emomusic=emomusic)
    assert right.loudness["2013", "arousal_mean"].r > 0.8
    assert right.difference["2013"].low > 0.5
    assert right.emomusic.equal_same == 1.0
    assert right.folds["published", "arousal"].r > right.folds["corrected", "arousal"].r + 0.1


def test_the_page_and_picture(audit, emomusic, tmp_path):
    found = audit(swapped=True, emomusic=emomusic)
    page = write_audit(found, tmp_path / "docs")
    text, picture = page.read_text(), tmp_path / "docs" / "deam-labels.png"
    assert "(deam-labels.png)" in text
    assert "musemo audit-labels DEAM --emomusic DIR" in text
    assert str(found.difference["2013"]) in text
    assert "in **100.0%**" in text
    assert picture.stat().st_size < 150_000
    width = imread(picture).shape[1]
    audit_without = audit(swapped=True)
    text = write_audit(audit_without, tmp_path / "docs").read_text()
    assert "published elsewhere" not in text
    assert "{" not in text
    assert imread(picture).shape[1] < width


def test_a_folder_without_songs_of_2013(audit, deam_folder, tmp_path):
    for song_id in IDS[50:]:
        deam_folder.add(song_id, sound(0, 0, song_id), suffix=".wav")
    with pytest.raises(ValueError, match="expected 30 songs of 2013 and 30 later ones, got 0 and 50"):
        audit_labels(deam_folder.write(), cache_dir=tmp_path / "cache")


def test_emomusic_files(emomusic):
    songs = read_emomusic(emomusic)
    assert len(songs) == 50
    assert songs[1].dynamic_valence == pytest.approx(EMOTIONS[0, 0])
    assert songs[2].dynamic_valence == pytest.approx(EMOTIONS[1, 0] + 0.1)  # its last sample is empty
    path = emomusic / "valence_cont_average.csv"
    path.write_text(path.read_text() + "99,0.1,loud\n")
    with pytest.raises(
        AnnotationError, match=r"valence_cont_average.csv:52: expected a number as a rating, got 'loud'"
    ):
        read_emomusic(emomusic)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"found no valence_cont_average.csv"):
        read_emomusic(emomusic)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("valence_cont_average", lambda lines: lines[1:], "csv:1: expected a column song_id, got 1, "),
        ("static_annotations", lambda lines: lines[1:], "csv:1: expected a column song_id, got 1, "),
        (
            "arousal_cont_average",
            lambda lines: [*lines, "99,nan,0.1"],
            "csv:52: expected a number as a rating, got 'nan'",
        ),
        (
            "arousal_cont_average",
            lambda lines: [*lines, "99,0.1,inf"],
            "csv:52: expected a number as a rating, got 'inf'",
        ),
        ("valence_cont_average", lambda lines: [*lines, "99,5.1,6.2"], r"csv:52: expected a rating within \[-1, 1\]"),
        (
            "valence_cont_average",
            lambda lines: [*lines, lines[1]],
            "csv:52: expected song 1 once, got it at .*csv:2 too",
        ),
        ("static_annotations", lambda lines: [*lines, lines[1]], "csv:52: expected song 1 once, got it at .*csv:2 too"),
        ("valence_cont_average", lambda lines: [*lines, "99,,"], "csv:52: expected ratings of song 99, got none"),
        ("valence_cont_average", lambda lines: [*lines, "+9,0.1"], "csv:52: expected a positive integer as song_id"),
        (
            "static_annotations",
            lambda lines: [*lines, "99,0.2,1,5,1"],
            "csv:52: expected mean_arousal within 1-9, got '0.2'",
        ),
        ("static_annotations", lambda lines: [*lines, "99,5,1,nan,1"], "csv:52: expected a number as mean_valence"),
        (
            "static_annotations",
            lambda lines: [*lines, "99,5,-1,5,1"],
            "csv:52: expected std_arousal within 0-8, got '-1'",
        ),
        (
            "static_annotations",
            lambda lines: [*lines, "99,5,1,5,1,caf\xe9"],
            "csv:52: expected UTF-8, got the byte 0xe9",
        ),
        ("arousal_cont_average", lambda lines: [*lines, '99,"0.1', "100,0.2"], "csv:52: expected a row on one line"),
    ],
)
def test_a_bad_table_of_emomusic_is_named_with_its_line(emomusic, name, change, message):
    path = emomusic / f"{name}.csv"
    path.write_bytes("\n".join(change(path.read_text().splitlines())).encode("latin1"))
    with pytest.raises(AnnotationError, match=f"{name}.{message}"):
        read_emomusic(emomusic)


def test_a_correlation_and_its_interval():
    rng = np.random.default_rng(0)
    first = rng.normal(size=400)
    second = first + rng.normal(size=400)
    alone = correlate(first, second, np.arange(400))
    assert alone.r == pytest.approx(np.corrcoef(first, second)[0, 1])
    # Fisher's interval, which holds for songs that have nothing to do with each other.
    fisher = np.tanh(np.arctanh(alone.r) + np.array([-1.96, 1.96]) / np.sqrt(397))
    np.testing.assert_allclose([alone.low, alone.high], fisher, atol=0.015)
    four = np.repeat(np.arange(100), 4)
    clustered = correlate(first[four], second[four], four)
    assert clustered.high - clustered.low > 1.5 * (alone.high - alone.low)


def test_a_measure_that_does_not_vary_has_no_correlation():
    with pytest.raises(ValueError, match="expected two measures that vary over 3 songs, got a constant"):
        correlate(np.ones(3), np.arange(3.0), np.arange(3))


def test_statistics_of_a_constant_song():
    statistics = log_mel_statistics(np.full((2, 128, 7), -80.0, dtype=np.float32))
    assert statistics.shape == (2, 384)
    np.testing.assert_array_equal(statistics[0], [*[-60] * 128, *[0] * 256])
