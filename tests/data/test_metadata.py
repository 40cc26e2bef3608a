import pytest

from musemo_hf.data.deam.metadata import FIRST_OTHER_ID, MetadataError, edition, read_metadata


def write(tmp_path, text):
    path = tmp_path / "metadata.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'song_id,album,artist,title,Genre\n2,"\t2.mp3","Jahzzar\t","\tA  Song\t","\tBlues\t"\n',
            (2, "Jahzzar", "A Song", "Blues"),
        ),
        (
            "song_id,artist,album,title,Genre,,\n1001,Jahzzar,X,A Song,Rock-Pop,a,b,c,d\n",
            (1001, "Jahzzar", "A Song", "Rock-Pop"),
        ),
        ("song_id,title,artist,album,Genre\n2001,A Song,Jahzzar\n", (2001, "Jahzzar", "A Song", "")),
        ("Id,Artist,Album,Track,Genre\n1001,Jahzzar,X,A Song,Pop\n", (1001, "Jahzzar", "A Song", "Pop")),
        (
            "song_id,file_name,Artist,Song title,Genre\n2,2.mp3,Jahzzar,A Song,Blues\n",
            (2, "Jahzzar", "A Song", "Blues"),
        ),
        (
            "id,Filename,title,artist,album,genre\n2001,x.mp3,A Song,Jahzzar,n/a,Jazz\n",
            (2001, "Jahzzar", "A Song", "Jazz"),
        ),
    ],
)
def test_headers_of_each_year_and_issue(tmp_path, text, expected):
    (song,) = read_metadata([write(tmp_path, text)]).values()
    assert (song.song_id, song.artist, song.title, song.genre) == expected


def test_errors_name_file_and_line(tmp_path):
    with pytest.raises(MetadataError, match=r"metadata.csv:1: expected a column artist, got song_id, title, genre"):
        read_metadata([write(tmp_path, "song_id,title,genre\n1,a,b\n")])
    with pytest.raises(MetadataError, match=r"metadata.csv:3: expected a positive integer as song_id, got 'two'"):
        read_metadata([write(tmp_path, "song_id,artist,title,genre\n1,a,b,c\ntwo,a,b,c\n")])


def test_of_a_song_listed_twice_the_first_row_counts(tmp_path):
    path = write(tmp_path, "song_id,artist,title,genre\n1,first,b,c\n1,second,b,c\n")
    with pytest.warns(UserWarning, match=r"metadata.csv:3: song 1 is listed twice"):
        assert read_metadata([path])[1].artist == "first"


def test_editions():
    assert [edition(song) for song in (2, 1000, 1001, 2000, 2001, 2058)] == [2013, 2013, 2014, 2014, 2015, 2015]
    assert edition(FIRST_OTHER_ID) == 0
