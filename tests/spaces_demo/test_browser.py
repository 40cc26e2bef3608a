"""A visitor with a real browser, at a desk and with a phone: click, listen, upload, read."""

import base64
import io

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
PATIENCE = 120_000  # ms; a bound against hanging, not a claim about speed


class Visitor:
    """A page, and what went wrong on it."""

    def __init__(self, browser, url, **screen):
        self.touches = screen.get("has_touch", False)
        self.context = browser.new_context(**screen)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.outside, self.errors = [], []
        self.page.on(
            "request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else self.outside.append(r.url)
        )
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        # the page's own first request: by then every event of it is wired, and a click is not lost
        with self.page.expect_response(lambda response: "/queue/join" in response.url):
            self.page.goto(url)
        self.page.wait_for_selector('[role="application"] .point')  # drawn, and listening to clicks

    def click_plane(self, valence: float, arousal: float) -> None:
        field = self.page.locator("#plane [data-field]").bounding_box()
        x = field["x"] + field["width"] * (valence + 1) / 2
        y = field["y"] + field["height"] * (1 - arousal) / 2
        (self.page.touchscreen.tap if self.touches else self.page.mouse.click)(x, y)

    def sounds(self, where: str = "#songs") -> list[tuple[np.ndarray, int]]:
        uris = self.page.eval_on_selector_all(f"{where} audio", "all => all.map(a => a.src)")
        return [soundfile.read(io.BytesIO(base64.b64decode(uri.split(",")[1])), dtype="int16") for uri in uris]

    def plays(self, where: str = "#songs") -> None:
        self.page.wait_for_function(f"document.querySelector('{where} audio')?.currentTime > 0.1", timeout=PATIENCE)

    def chosen(self) -> tuple[float, float]:
        return tuple(
            float(self.page.get_by_label(f"number input for {name}").input_value()) for name in ("Valence", "Arousal")
        )

    def take(self) -> str:
        return self.page.locator("#songs audio").first.get_attribute("data-take")

    def new_take_after(self, action) -> None:
        before = self.take()
        action()
        expect(self.page.locator("#songs audio").first).not_to_have_attribute("data-take", before, timeout=PATIENCE)


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def visitor(request, browser, url):
    someone = Visitor(browser, url, **request.param)
    yield someone
    someone.context.close()
    assert someone.outside == []
    assert someone.errors == []


@pytest.fixture
def at_desk(browser, url):
    someone = Visitor(browser, url, **DESK)
    yield someone
    someone.context.close()


def test_a_click_on_the_plane_sounds(visitor):
    visitor.click_plane(-0.6, 0.5)
    visitor.plays()
    assert visitor.chosen() == pytest.approx((-0.6, 0.5), abs=0.02)
    samples, rate = visitor.sounds()[0]
    assert rate == 22050
    assert np.abs(samples).max() > 100
    assert visitor.page.locator("#songs .picture img").evaluate("image => image.naturalHeight") == 128
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
        "the page scrolls sideways"
    )


def test_a_song_is_placed_on_the_plane_and_rebuilt(visitor, song):
    visitor.page.get_by_role("tab", name="Listen").click()
    visitor.page.set_input_files("#song input[type=file]", song)
    expect(visitor.page.locator("#rebuilt audio")).to_have_count(2, timeout=PATIENCE)
    assert visitor.page.locator("#reading-plane .point").count() == 1
    assert visitor.page.locator("#reading-plane .interval").count() == 1
    assert visitor.page.locator("#reading-plane .step").count() > 3
    (original, _), (rebuilt, _) = visitor.sounds("#rebuilt")
    levels = [np.sqrt(np.mean(np.square(sound, dtype=np.float64))) for sound in (original, rebuilt)]
    assert levels[1] == pytest.approx(levels[0], rel=0.5)  # the same gain: neither is scaled to its peak


def test_the_report_is_read_in_plain_words(visitor):
    visitor.page.get_by_role("tab", name="Quality").click()
    rows = visitor.page.locator("#quality .scale li")
    expect(rows).to_have_count(4)
    expect(rows.nth(2)).to_contain_text("this generator")
    expect(visitor.page.locator("#quality")).to_contain_text("worse than the best noise")
    expect(visitor.page.locator("#quality")).to_contain_text("12 generated against 34 real clips")


def test_sliders_presets_and_keys_move_the_same_point(at_desk):
    page = at_desk.page
    page.get_by_role("button", name="sad & calm").click()
    at_desk.plays()
    assert at_desk.chosen() == (-0.8, -0.6)
    page.locator("#plane [role=application]").focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    assert at_desk.chosen() == pytest.approx((-0.7, -0.4))
    at_desk.new_take_after(lambda: page.keyboard.press("Enter"))
    expect(page.locator("#songs figcaption").first).to_contain_text("arousal \N{MINUS SIGN}0.40")
    before = float(page.locator("#plane .point").get_attribute("cx"))
    page.get_by_label("number input for Valence").fill("0.9")
    page.keyboard.press("Tab")
    page.wait_for_function(f"Number(document.querySelector('#plane .point').getAttribute('cx')) > {before} + 100")


def test_several_samples_come_with_seeds_of_their_own(at_desk):
    page = at_desk.page
    page.get_by_label("number input for Samples").fill("3")
    page.keyboard.press("Tab")
    page.locator("#make-music").click()
    expect(page.locator("#songs audio")).to_have_count(3, timeout=PATIENCE)
    first, second, third = (sound for sound, _ in at_desk.sounds())
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)
    page.locator("#make-music").wait_for()
    at_desk.new_take_after(lambda: page.locator("#new-seed").click())
    assert page.get_by_role("spinbutton", name="Seed").input_value() != "0"


def test_the_download_is_what_is_heard(at_desk):
    at_desk.click_plane(0.3, 0.3)
    at_desk.plays()
    with at_desk.page.expect_download() as download:
        at_desk.page.locator("#songs a.download").click()
    assert download.value.suggested_filename == "musemo_valence+0.30_arousal+0.30_seed0.wav"
    samples, rate = soundfile.read(download.value.path(), dtype="int16")
    assert rate == 22050
    np.testing.assert_array_equal(samples, at_desk.sounds()[0][0])


def test_a_click_on_the_spectrogram_seeks(at_desk):
    at_desk.click_plane(0, 0)
    at_desk.plays()
    at_desk.page.locator("#songs .picture").click(position={"x": 5, "y": 20})
    box = at_desk.page.locator("#songs .picture").bounding_box()
    at_desk.page.locator("#songs audio").evaluate("audio => audio.pause()")
    at_desk.page.locator("#songs .picture").click(position={"x": box["width"] * 0.8, "y": 20})
    at_desk.page.wait_for_function("(a => a.currentTime > 0.75 * a.duration)(document.querySelector('#songs audio'))")


def test_a_bad_upload_says_what_to_do_and_leaves_no_old_reading(at_desk, song, tmp_path):
    page = at_desk.page
    text = tmp_path / "not really.mp3"
    text.write_text("These are words, not music.\n" * 200)
    page.get_by_role("tab", name="Listen").click()
    page.set_input_files("#song input[type=file]", song)
    expect(page.locator("#rebuilt audio")).to_have_count(2, timeout=PATIENCE)
    page.locator("#song").get_by_label("Clear").click()
    expect(page.locator("#rebuilt audio")).to_have_count(0, timeout=PATIENCE)
    page.set_input_files("#song input[type=file]", text)
    expect(page.get_by_text("could not be read")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#song input[type=file]")).to_be_attached(timeout=PATIENCE)  # ready for another
    assert page.locator("#reading-plane .point").count() == 0
