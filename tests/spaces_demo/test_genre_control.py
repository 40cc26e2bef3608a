"""The control for the genre of the first tab."""

import gradio as gr
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
