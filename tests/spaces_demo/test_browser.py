"""A visitor with a real browser, at a desk and with a phone: click, listen, upload, read."""

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

PATIENCE = 120_000  # ms; a bound against hanging, not a claim about speed


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
    at_desk.move_slider("Valence", 0.9)
    page.wait_for_function(f"Number(document.querySelector('#plane .point').getAttribute('cx')) > {before} + 100")


def test_several_samples_come_with_seeds_of_their_own(at_desk):
    page = at_desk.page
    page.locator("#new-seed").click()
    at_desk.plays()
    assert "seed 0 " not in page.locator("#songs figcaption").inner_text()
    at_desk.move_slider("Samples", 3)
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
    at_desk.errors.clear()  # Gradio's player says on the console that it cannot draw the waveform
