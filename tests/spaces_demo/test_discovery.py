"""What a visitor can find out: dragging, walking, links, what is recognised, variations, and wishes."""

import numpy as np
import pytest
from playwright.sync_api import expect

PATIENCE = 120_000  # ms; a bound against hanging, not a claim about speed
DESK = {"viewport": {"width": 1280, "height": 900}}


def corner(page, valence: float, arousal: float) -> tuple[float, float]:
    """Where a point of the plane is on the screen."""
    field = page.locator("#plane [data-field]").bounding_box()
    return field["x"] + field["width"] * (valence + 1) / 2, field["y"] + field["height"] * (1 - arousal) / 2


def drawn_at(page, selector: str) -> list[tuple[float, float]]:
    """The points of the plane at which circles or diamonds are drawn."""
    places = page.eval_on_selector_all(
        f"#plane {selector}",
        "all => all.map(e => e.cx ? [e.cx.baseVal.value, e.cy.baseVal.value]"
        " : [e.x.baseVal.value + 7, e.y.baseVal.value + 7])",
    )
    return [((x - 40) / 190 - 1, 1 - (y - 8) / 190) for x, y in places]


def test_a_second_point_shows_what_is_recognised(visitor, checkpoints):
    from musemo_hf.audio.loudness import GAIN
    from musemo_hf.commands.checkpoints import load_predictor
    from musemo_hf.pipelines.emotion_path import emotion_path

    visitor.click_plane(-0.6, 0.5)
    said = visitor.finds()
    ((sound, rate),) = visitor.sounds()
    model, extractor = load_predictor(str(checkpoints["recogniser"]))
    expected = emotion_path(model, extractor, sound / 32767 / GAIN, rate).mean
    assert drawn_at(visitor.page, ".found")[0] == pytest.approx(tuple(expected), abs=0.02)
    assert drawn_at(visitor.page, ".asked")[0] == pytest.approx((-0.6, 0.5), abs=0.02)
    assert f"valence {expected[0]:+.1f}".replace("-", "\N{MINUS SIGN}") in said
    visitor.click_plane(0.4, 0.5)  # what was found of another point goes at once
    expect(visitor.page.locator("#plane .found")).to_have_count(0)
    visitor.finds()


def test_a_drag_is_heard_while_it_rests_and_goes_on_from_where_the_sound_was(at_desk):
    page = at_desk.page
    at_desk.click_plane(0.5, 0.5)
    at_desk.plays()
    page.locator("#songs audio").evaluate("audio => { audio.pause(); audio.currentTime = 1.5; }")
    expect(page.locator("#songs .picture")).to_have_attribute("aria-valuenow", "1.5")
    take = at_desk.take()
    page.evaluate(
        "document.querySelector('#songs')"
        ".addEventListener('play', event => window.began = event.target.currentTime, true)"
    )
    page.mouse.move(*corner(page, 0.5, 0.5))
    page.mouse.down()
    page.mouse.move(*corner(page, 0.2, 0.2), steps=4)
    expect(page.locator("#songs audio")).not_to_have_attribute("data-take", take, timeout=PATIENCE)  # still held
    page.wait_for_function("window.began >= 1.5")
    at_desk.new_take_after(lambda: page.mouse.move(*corner(page, -0.5, -0.3), steps=4))
    page.mouse.up()
    at_desk.finds()
    assert at_desk.chosen() == pytest.approx((-0.5, -0.3), abs=0.02)
    expect(page.locator("#songs figcaption")).to_contain_text("valence \N{MINUS SIGN}0.5")


def test_a_walk_is_heard_in_turn_and_drawn(at_desk):
    page = at_desk.page
    page.get_by_role("button", name="Walk between two points").click()
    at_desk.click_plane(-0.6, -0.6)
    at_desk.finds()
    page.locator("#start-here").click()
    expect(page.locator("#plane .start")).to_have_attribute("opacity", "1")
    at_desk.click_plane(0.6, 0.6)
    at_desk.finds()
    page.locator("#walk").click()
    expect(page.locator("#songs audio")).to_have_count(4, timeout=PATIENCE)
    expect(page.locator("#plane .found")).to_have_count(4, timeout=PATIENCE)
    walked = np.array(drawn_at(page, ".asked"))
    np.testing.assert_allclose(walked, np.linspace(walked[0], walked[-1], 4), atol=0.01)
    np.testing.assert_allclose(walked[[0, -1]], [[-0.6, -0.6], [0.6, 0.6]], atol=0.02)
    page.locator("#songs audio").first.evaluate("audio => { audio.currentTime = audio.duration - 0.1; audio.play(); }")
    page.wait_for_function("document.querySelectorAll('#songs audio')[1].currentTime > 0.1", timeout=PATIENCE)


def test_a_link_makes_the_same_sound_again(visit, url, at_desk):
    at_desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = at_desk.page
    at_desk.move_slider("Samples", 2)
    at_desk.click_plane(-0.6, 0.5)
    at_desk.finds()
    page.locator("#copy-link").click()
    expect(page.locator("#copy-link")).to_have_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(url + "?valence=-0.")
    other = visit(url, link.removeprefix(url), **DESK)
    expect(other.page.locator("#songs audio")).to_have_count(2, timeout=PATIENCE)
    other.finds()
    assert other.chosen() == at_desk.chosen()
    assert (
        other.page.locator("#songs figcaption").all_inner_texts() == page.locator("#songs figcaption").all_inner_texts()
    )
    for (mine, _), (theirs, _) in zip(at_desk.sounds(), other.sounds(), strict=True):
        assert np.linalg.norm(1.0 * mine - theirs) < 0.01 * np.linalg.norm(1.0 * mine)
    expect(page.locator("#copy-link")).to_have_text("Copy link")


def test_a_link_of_another_generator_says_so(visit, url):
    page = visit(url, "?valence=0&arousal=0&seed=3&generator=other", **DESK).page
    expect(page.get_by_text("made with another generator")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#songs figcaption")).to_contain_text("seed 3", timeout=PATIENCE)


@pytest.mark.parametrize(
    ("query", "said"), [("valence=9&arousal=0", "between -1 and 1"), ("valence=x&arousal=0", "'x'")]
)
def test_a_broken_link_says_what_is_wrong(visit, url, query, said):
    page = visit(url, f"?{query}", **DESK).page
    expect(page.get_by_text(said)).to_be_visible(timeout=PATIENCE)
    assert page.locator("#songs audio").count() == 0


def test_an_example_of_ours_is_recognised(visitor):
    visitor.page.get_by_role("tab", name="Listen").click()
    visitor.page.locator("#examples button").first.click()
    expect(visitor.page.locator("#rebuilt audio")).to_have_count(2, timeout=PATIENCE)
    assert visitor.page.locator("#reading-plane .point").count() == 1
    assert np.abs(visitor.sounds("#rebuilt")[0][0]).max() > 100
    assert visitor.page.locator("#vary").count() == 0, "a GAN changes no songs"
    assert visitor.page.locator("#asked").count() == 0, "and has no conditions"


def test_a_generator_that_can_varies_a_song_and_takes_wishes(visit, unet_url, song):
    someone = visit(unet_url, **DESK)
    page = someone.page
    page.locator("#make-music").click()
    someone.finds()
    ((plain, _),) = someone.sounds()
    someone.move_slider("Tempo", 200)
    expect(page.get_by_role("checkbox", name="tempo")).to_be_checked()
    expect(page.get_by_role("checkbox", name="loudness")).not_to_be_checked()
    someone.new_take_after(lambda: page.locator("#make-music").click())
    someone.finds()
    ((fast, _),) = someone.sounds()
    assert np.linalg.norm(1.0 * fast - plain) > 0.01 * np.linalg.norm(1.0 * plain)
    page.get_by_role("button", name="Walk between two points").click()
    page.locator("#walk").click()
    expect(page.locator("#songs figcaption")).to_contain_text("From (+0.00, +0.00)", timeout=PATIENCE)
    assert page.locator("#songs audio").evaluate("audio => audio.duration") == pytest.approx(24, abs=0.5)
    expect(page.locator("#plane .found").nth(5)).to_be_attached(timeout=PATIENCE)

    page.get_by_role("tab", name="Listen").click()
    page.set_input_files("#song input[type=file]", song)
    expect(page.locator("#rebuilt audio")).to_have_count(2, timeout=PATIENCE)
    page.locator("#vary").click()
    expect(page.locator("#varied audio")).to_have_count(1, timeout=PATIENCE)
    assert np.abs(someone.sounds("#varied")[0][0]).max() > 100
