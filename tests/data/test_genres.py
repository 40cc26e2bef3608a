import pytest

from musemo_hf.data.genres import GENRES, split_genres


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Classical", ("Classical",)),
        ("Hip-Hop-Electronic", ("Electronic", "Hip-Hop")),
        ("SoulRB-Blues-Folk-Rock", ("Blues", "Folk", "Rock", "Soul-RnB")),
        ("World/Folk", ("Folk", "International")),
        ("rap", ("Hip-Hop",)),
        ("Jazz-Instrumental-Electronic", ("Electronic", "Jazz")),
        ("jazz", ("Jazz",)),
        ("Popular-Rockabilly", ()),
        ("n/a", ()),
        ("", ()),
    ],
)
def test_a_cell_names_genres(text, expected):
    assert split_genres(text) == expected


def test_each_genre_is_one():
    assert all(split_genres(name) == (name,) for name in GENRES)
