import pytest

from musemo_hf.data.deam.annotations import AnnotationError, read_annotations

HEADER = "song_id, valence_mean, valence_std, arousal_mean, arousal_std\n"


def write(tmp_path, text, name="labels.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_scale_maps_to_minus_one_to_one(tmp_path):
    path = write(tmp_path, HEADER + "1001,1,0,9,4\n1002,5,2,7,1\n")
    low, middle = read_annotations([path]).values()
    assert low.emotion == (-1, 1)
    assert low.emotion_std == (0, 1)
    assert middle.emotion == (0, 0.5)
    assert middle.emotion_std == (0.5, 0.25)


def test_labels_of_2013_are_put_right_and_no_others(tmp_path):
    path = write(tmp_path, HEADER + "1000,3,1,7,2\n1001,3,1,7,2\n")
    corrected, published = read_annotations([path]), read_annotations([path], "published")
    assert corrected[1000].emotion == published[1000].emotion[::-1] == (0.5, -0.5)
    assert corrected[1000].emotion_std == published[1000].emotion_std[::-1] == (0.5, 0.25)
    assert corrected[1001] == published[1001]


def test_columns_are_found_by_name_in_any_order(tmp_path):
    text = "\ufeffarousal_mean ,arousal_std, song_id, valence_ max_mean,Valence_Mean, valence_std\n7,2,2001,9,3,1\n\n"
    assert read_annotations([write(tmp_path, text)])[2001].emotion == (-0.5, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "2001,3,1,7,2\n2002,9.5,1,7,2\n", r"labels.csv:3: expected valence_mean within 1-9, got '9.5'"),
        (HEADER + "2001,3,1,0.2,2\n", r"labels.csv:2: expected arousal_mean within 1-9, got '0.2'"),
        (HEADER + "2001,nan,1,7,2\n", r"labels.csv:2: expected a number as valence_mean, got 'nan'"),
        (HEADER + "2001,3,1,7,inf\n", r"labels.csv:2: expected a number as arousal_std, got 'inf'"),
        (HEADER + "2001,3,-1,7,2\n", r"labels.csv:2: expected valence_std within 0-8, got '-1'"),
        (HEADER + "2001,3,1,seven,2\n", r"labels.csv:2: expected a number as arousal_mean, got 'seven'"),
        (HEADER + "2001,3,1,7\n", r"labels.csv:2: expected a number as arousal_std, got ''"),
        (HEADER + "2001,3,1,7,2\n\n2001,3,1,7,2\n", r"labels.csv:4: expected song 2001 once, got it at .*csv:2 too"),
        (HEADER + "x,3,1,7,2\n", r"labels.csv:2: expected a positive integer as song_id, got 'x'"),
        (HEADER + "2.5,3,1,7,2\n", r"labels.csv:2: expected a positive integer as song_id"),
        (
            "song_id, valence_mean, valence_std, arousal_mean\n2001,3,1,7\n",
            r"csv:1: expected a column arousal_std, got",
        ),
        ("", r"labels.csv:1: expected a header, found an empty file"),
        ("song_id,valence_mean," + HEADER, r"labels.csv:1: expected one column song_id, got 2"),
        (HEADER + '2001,"3,1,7,2\n2002,3,1,7,2\n', r"labels.csv:2: expected a row on one line, got one over several"),
        (HEADER + f"{'9' * 5000},3,1,7,2\n", r"labels.csv:2: expected a positive integer as song_id"),
        (HEADER + "2001,3_1,1,7,2\n", r"labels.csv:2: expected a number as valence_mean, got '3_1'"),
        (HEADER + f"2001,{'9' * 200_000},1,7,2\n", r"labels.csv:2: expected a CSV, got: field larger"),
        ("\ufeff" + HEADER + "2001,x,1,7,2\n", r"labels.csv:2: expected a number as valence_mean, got 'x'"),
        ((HEADER + "2001,x,1,7,2\n").encode("utf-16"), r"labels.csv:1: expected UTF-8, got the byte 0xff"),
        (HEADER.encode() + b"2001,3,1,7,\xff\n", r"labels.csv:2: expected UTF-8, got the byte 0xff"),
    ],
)
def test_an_error_names_file_and_line(tmp_path, text, message):
    with pytest.raises(AnnotationError, match=message):
        read_annotations([write(tmp_path, text)])


def test_a_song_may_not_be_in_both_parts(tmp_path):
    first = write(tmp_path, HEADER + "7,3,1,7,2\n", "first.csv")
    second = write(tmp_path, HEADER + "8,3,1,7,2\n7,3,1,7,2\n", "second.csv")
    with pytest.raises(AnnotationError, match=r"second.csv:3: expected song 7 once, got it at .*first.csv:2 too"):
        read_annotations([first, second])


def test_labels_are_one_of_two(tmp_path):
    with pytest.raises(ValueError, match='"corrected" or "published", got \'swapped\''):
        read_annotations([], "swapped")
