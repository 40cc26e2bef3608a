"""The genre and conditions of the first tab and of its API, and what is refused."""

import gradio as gr
import numpy as np
import pytest


@pytest.mark.parametrize("conditions", [(), ("tempo",)])
def test_the_genre_is_a_control_only_where_the_generator_has_genres(conditions, monkeypatch):
    import tabs.make
    from abilities import Abilities

    asked = []
    monkeypatch.setattr(tabs.make, "make_sounds", lambda *settings: asked.append(settings) or iter(()))
    monkeypatch.setattr(tabs.make, "recognised", lambda _: None)
    for genres, chosen in (((), ()), (("Jazz", "Rock"), ("Jazz",)), (("Jazz", "Rock"), (None,))):
        tab = tabs.make.MakeTab(Abilities("unet", True, conditions, genres))
        with gr.Blocks() as page:
            tab.build(page)
        labels = [getattr(block, "label", None) for block in page.blocks.values()]
        assert labels.count("Genre") == bool(genres)
        values = [component.value for component in tab.inputs[5 : 5 + len(conditions)]]
        list(tab.make(0.0, 0.0, 0, 1, list(conditions), *values, *chosen))
        assert set(asked[-1][4]) == set(conditions)
        assert asked[-1][5] == (chosen[0] if chosen else None)


ABILITIES = {"conditions": ("loudness", "tempo"), "genres": ("Hip-Hop", "Jazz")}


@pytest.fixture
def tab():
    from abilities import Abilities
    from tabs.make import MakeTab

    return MakeTab(Abilities("unet", True, **ABILITIES))


def test_the_api_asks_for_what_is_given(tab, monkeypatch, tmp_path):
    import tabs.make
    from playback import Sound

    asked = []
    sound = Sound("a", np.zeros(512, np.float32), 22050, np.zeros((128, 2)), 512, "song.wav")
    monkeypatch.setattr(tabs.make, "make_sounds", lambda *settings: asked.append(settings) or iter([(sound, 3)]))
    monkeypatch.setattr(tabs.make, "to_file", lambda _: "song.wav")
    files, about = tab.generate(0.1, 0.2, 3, 1, tempo=90, genre="jazz")
    assert files == ["song.wav"]
    assert asked == [(0.1, 0.2, 3, 1, {"tempo": 90}, "Jazz")]
    assert (about["songs"][0]["conditions"], about["songs"][0]["genre"]) == ({"tempo": 90}, "Jazz")
    tab.generate(0.1, 0.2, 3, 1)
    assert asked[-1] == (0.1, 0.2, 3, 1, {}, None)


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"tempo": float("nan")}, "Expected tempo from 40 to 240 beats per minute, got nan."),
        ({"tempo": 1000}, "Expected tempo from 40 to 240 beats per minute, got 1000."),
        ({"loudness": -11}, "Expected loudness from -10 to 50 dB, got -11."),
        ({"brightness": 900}, "Expected no brightness"),
        ({"genre": "polka"}, "Expected a genre out of Hip-Hop, Jazz, got polka."),
    ],
)
def test_the_api_refuses(tab, wishes, said):
    with pytest.raises(gr.Error, match=said):
        tab.generate(0.1, 0.2, 3, 1, **wishes)


def test_the_page_refuses_conditions_that_are_nan(tab):
    with pytest.raises(gr.Error, match="Expected tempo from 40 to 240 beats per minute, got nan"):
        list(tab.make(0.1, 0.2, 3, 1, ["tempo"], 20, float("nan"), None))


@pytest.mark.parametrize("seed", [-1, 2.5, 2**31])
def test_a_walk_refuses_what_is_no_seed(tab, seed):
    with pytest.raises(gr.Error, match=f"as seed, got {seed}"):
        list(tab.take_walk((0.0, 0.0), 0.5, 0.5, seed))
