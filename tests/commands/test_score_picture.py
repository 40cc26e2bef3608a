"""The picture and the sentences, from reports of known content."""

import pytest

from musemo_hf.commands.score.picture import draw_score
from musemo_hf.commands.score.verdict import (
    best_noise,
    finding_sentences,
    headline,
    scale_groups,
    score_sentence,
)

LADDER = {"copies": 100.0, "real": 99.1, "joint-gaussian": 98.6, "blur": 93.9, "joint-gaussian (unclamped)": 80.0}
LADDER |= {"mean-spectrogram": 60.5, "white": 20.9, "band-white": None}


def report(**changes):
    plain = {"quality_score": 64.2, "quality_score_interval": [62.0, 66.0], "ladder": LADDER, "notes": {}}
    return plain | {"skill": 0.42, "skill_interval": [0.3, 0.5], "best_noise": "joint-gaussian"} | changes


@pytest.mark.parametrize(
    ("skill", "words", "sentence"),
    [
        (-0.3, "External skill -0.30: worse than noise", "-0.30, further from real music than noise is"),
        (0.7, "External skill 0.70: 70% of the way from noise to music", "0.70, 70% of the way from the best noise"),
        (0.97, "External skill 0.97: as near as real music", "0.97, as near to real music as other real music is"),
        (None, "The external skill, which decides, is not defined", "not defined (too few clips)"),
    ],
)
def test_the_external_skill_comes_first(skill, words, sentence):
    result = external(external_skill=skill, notes={"external_skill": "too few clips"})
    assert headline(result) == words
    first, second, third = finding_sentences(result)
    assert first.startswith(f"External skill, as sound in the space of ears-v1, which decides: {sentence}")
    assert second.startswith("Skill, own space: 0.42, 42% of the way from the best noise to other real music.")
    assert second.endswith("does not decide.")
    assert third == score_sentence(result)


@pytest.mark.parametrize(
    ("notes", "why"),
    [
        ({}, "no external embedder was asked for"),
        ({"external_skill": "expected at least 50 clips"}, "expected at least 50 clips"),
    ],
)
def test_without_the_external_skill_the_report_says_first_that_it_decides(notes, why):
    result = report(notes=notes)
    assert headline(result) == "The external skill, which decides, was not computed"
    first, second, _ = finding_sentences(result)
    assert first == f"The external skill, which decides, was not computed: {why}."
    assert second.startswith("Skill, own space: 0.42, ")
    undefined = report(skill=None, notes={"skill": "too few clips"})
    assert "Skill, own space: not defined (too few clips)." in finding_sentences(undefined)[1]


def test_the_score_is_compared_with_noise():
    assert best_noise(report()) == ("joint-gaussian", 98.6)
    assert score_sentence(report()) == (
        "The quality score is 64.2 of 100. On the same scale noise without any music reaches 98.6, "
        "other real music 99.1."
    )
    assert "without its reference scale it cannot be read" in score_sentence(report(ladder={}))
    assert scale_groups(report()) == {
        "real": {"real": 99.1},
        "damaged": {"blur": 93.9},
        "noise": {"joint-gaussian": 98.6, "mean-spectrogram": 60.5, "white": 20.9},
    }


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize("skill", [-7.0, -0.3, 0.42, 1.6, None])
def test_both_markers_stand_where_the_numbers_say(skill):
    figure = draw_score(report(skill=skill, skill_interval=None))
    above, beneath = figure.axes
    assert above.get_xlim()[0] <= 0 <= 100 <= above.get_xlim()[1]
    large = [line for line in above.lines if line.get_markersize() > 20]
    assert [line.get_xdata()[0] for line in large] == [64.2]
    large = [line for line in beneath.lines if line.get_markersize() > 20]
    if skill is None:
        assert large == []
        assert "your set: not defined" in texts(figure)
    else:
        left, right = beneath.get_xlim()
        assert left < large[0].get_xdata()[0] < right
        assert f"{skill:.2f}" in texts(figure)
    assert figure.get_suptitle() == "The external skill, which decides, was not computed"
    assert beneath.get_title(loc="left").startswith("Skill, own space")


def test_the_title_claims_no_more_than_the_scale_shows():
    assert "cannot tell: noise reaches 99, real music 99" in draw_score(report()).axes[0].get_title(loc="left")
    telling = draw_score(report(ladder={"real": 99.0, "white": 20.0})).axes[0].get_title(loc="left")
    assert telling == "The score: noise reaches 20, real music 99"
    assert draw_score(report(ladder={})).axes[0].get_title(loc="left") == "The published score"


def test_names_of_crowded_noises_do_not_overlap():
    noises = ("joint-gaussian", "gaussian-levels", "modulation-gaussian", "mean-spectrogram")
    figure = draw_score(report(ladder={"real": 99.0} | {name: 93.0 + i for i, name in enumerate(noises)}))
    figure.set_dpi(100)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text().split()[0] in noises]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def external(**changes):
    return report(external_skill=0.7, external_embedder="ears-v1", external_best_noise="white") | changes


def test_the_picture_shows_the_external_skill():
    figure = draw_score(external())
    beneath = figure.axes[1]
    assert figure.get_suptitle().startswith("External skill 0.70")
    assert [line.get_xdata()[0] for line in beneath.lines if line.get_markersize() > 20] == [0.7]
    assert "ears-v1" in beneath.get_title(loc="left")
    assert "best noise\n(white)" in [text.get_text() for text in beneath.texts]
