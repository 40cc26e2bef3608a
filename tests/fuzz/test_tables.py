"""Tables of every kind that is read, with any bytes in them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musemo_hf.data.deam.annotations import AnnotationError, read_annotations
from musemo_hf.data.deam.emomusic import FILES, read_emomusic
from musemo_hf.data.deam.metadata import MetadataError, read_metadata
from musemo_hf.data.emotion_table import read_emotions
from musemo_hf.data.pseudo_labels import SONGS_FILE, PseudoLabelError, read_songs
from musemo_hf.data.skipped import SkippedError, read_skipped

fuzz = settings(settings.get_profile("fuzz"))

CELLS = st.one_of(
    st.sampled_from(["1", "2001", "5", "0.1", "9", "nan", "-inf", "1e400", "", '"', "\0", "\uff11", "3_1", "9" * 5000]),
    st.text(max_size=6),
    st.floats().map(str),
)
LINES = st.lists(CELLS, max_size=8).map(",".join)


def tables(header):
    """A table that may be right, with odd rows, ends of lines and encodings."""
    return st.builds(
        lambda rows, end, bom, encoding, raw: (bom + end.join([header, *rows])).encode(encoding, "replace") + raw,
        st.lists(LINES, max_size=4),
        st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
        st.sampled_from(["", "\ufeff"]),
        st.sampled_from(["utf-8", "cp1252", "utf-16", "ascii"]),
        st.one_of(st.just(b""), st.binary(max_size=20)),
    )


EMOMUSIC = "song_id,mean_arousal,std_arousal,mean_valence,std_valence"
PSEUDO = "song_id,file,valence,arousal,valence_std,arousal_std,n_windows,duration,artist,title,genre"
KINDS = {  # the header, the reader and its error
    "annotations": (
        "song_id, valence_mean, valence_std, arousal_mean, arousal_std",
        lambda path: read_annotations([path]),
        AnnotationError,
    ),
    "metadata": ("song_id,artist,title,genre", lambda path: read_metadata([path]), MetadataError),
    "requests": ("file,valence,arousal", read_emotions, ValueError),
    "skipped": ("song_id,reason,detail", read_skipped, SkippedError),
    "pseudo-labels": (PSEUDO, lambda path: read_songs(path.parent), PseudoLabelError),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.mark.parametrize("kind", KINDS)
@fuzz
@given(data=st.data())
def test_a_table_is_read_or_its_line_is_named(folder, answer_or_error, kind, data):
    header, read, error = KINDS[kind]
    path = folder / SONGS_FILE
    path.write_bytes(data.draw(st.one_of(tables(header), st.binary(max_size=60))))
    answer_or_error(lambda: read(path), error, message=re.escape(str(path)) + r":\d+: expected .*(got|found)")


@pytest.mark.parametrize("name", FILES)
@fuzz
@given(data=st.data())
def test_tables_of_emomusic(folder, answer_or_error, name, data):
    right = dict(zip(FILES, (f"{EMOMUSIC}\n1,5,1,5,1\n", *["song_id,sample_15000ms\n1,0.1\n"] * 2), strict=True))
    for file, text in right.items():
        (folder / file).write_text(text)
    header = right[name].splitlines()[0]
    (folder / name).write_bytes(data.draw(st.one_of(tables(header), st.binary(max_size=60))))
    where = re.escape(str(folder / name)) + r":\d+: expected .*(got|found)"
    answer_or_error(lambda: read_emomusic(folder), AnnotationError, message=where)
