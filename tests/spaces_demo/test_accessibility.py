"""The page for everyone: axe-core, the keyboard, and a phone's first screen."""

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

PATIENCE = 120_000  # ms; a bound against hanging, not a claim about speed
DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def violations(page) -> list[str]:
    """What axe-core finds that is serious or critical, contrasts below 4.5 to 1 included."""
    page.evaluate("Promise.all(document.getAnimations().map(animation => animation.finished.catch(() => {})))")
    found = [rule for rule in Axe().run(page).response["violations"] if rule["impact"] in ("serious", "critical")]
    return [f"{rule['id']}: {node['html']:.200}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_serious(visit, url, screen, scheme):
    someone = visit(url, **screen, color_scheme=scheme)
    page = someone.page
    for fold in ("Points where songs are", "Settings", "Walk between two points", "About these sounds"):
        page.get_by_role("button", name=fold).click()
    someone.click_plane(0.2, 0.3)
    someone.finds()
    assert violations(page) == []
    page.get_by_role("tab", name="Listen").click()
    page.locator("#examples button").first.click()
    expect(page.locator("#rebuilt audio")).to_have_count(2, timeout=PATIENCE)
    expect(page.locator("#song time").first).to_be_visible(timeout=PATIENCE)
    assert violations(page) == []
    page.get_by_role("tab", name="Quality").click()
    expect(page.locator("#quality .scale li")).to_have_count(4)
    assert violations(page) == []


def test_a_phone_has_the_player_on_its_first_screen(visit, url):
    someone = visit(url, **PHONE)
    someone.click_plane(0.2, 0.3)
    someone.finds()
    player = someone.page.locator("#songs audio").bounding_box()
    assert player["y"] + player["height"] < PHONE["viewport"]["height"]
    assert someone.page.evaluate("window.scrollY") == 0


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_four_samples_leave_the_controls_in_place(visit, url, screen):
    someone = visit(url, **screen)
    page = someone.page
    someone.click_plane(0.2, 0.3)
    someone.finds()
    someone.open_settings()
    place = "document.querySelector('#make-music').getBoundingClientRect().y + window.scrollY"
    before = page.evaluate(place)
    someone.move_slider("Samples", 4)
    page.locator("#make-music").click()
    expect(page.locator("#songs audio")).to_have_count(4, timeout=PATIENCE)
    expect(page.locator("#plane .found")).to_have_count(4, timeout=PATIENCE)
    assert page.evaluate(place) == pytest.approx(before, abs=1)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_keys_alone_make_music_play_it_and_move_in_it(at_desk):
    page = at_desk.page
    focused = "document.activeElement.getAttribute('role') ?? document.activeElement.className"
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate(focused) == "application":
            break
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    at_desk.plays()
    stops = []
    while not stops or stops[-1] != "download":  # from the plane to the end of the player
        page.keyboard.press("Tab")
        stops.append(page.evaluate(focused))
        assert len(stops) < 20
    assert stops.count("slider") == 1
    assert stops[-2:] == ["slider", "download"], "one stop for the player"
    page.keyboard.press("Shift+Tab")
    player = page.locator("#songs .picture")
    audio = page.locator("#songs audio")
    audio.evaluate("audio => audio.pause()")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(player).to_have_attribute("aria-valuenow", "2.0")
    assert audio.evaluate("audio => audio.currentTime") == pytest.approx(2)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    page.wait_for_function("(a => !a.paused && a.currentTime > 1.05)(document.querySelector('#songs audio'))")
    page.keyboard.press("Space")
    assert audio.evaluate("audio => audio.paused")
    assert np.isclose(float(player.get_attribute("aria-valuemax")), audio.evaluate("a => a.duration"), atol=0.1)
