"""The training benchmark measures what it says: both precisions at the widths asked for, against the plain recipe."""

import re

import pytest
import torch

from benchmarks import training
from benchmarks.baseline_gan import BaselineGan


@pytest.fixture
def tiny(monkeypatch):
    """Networks that a test can pay for, ours and the plain ones."""
    for width in [*training.WIDTHS, "tiny"]:
        monkeypatch.setitem(training.WIDTHS, width, (16, 2, 4))
    monkeypatch.setattr(training, "BaselineGan", lambda *given, **named: BaselineGan(*given, 16, 4, **named))


def test_both_precisions_are_measured_against_the_plain_recipe(monkeypatch, tiny):
    built = []

    def recorded(*arguments, **settings):
        built.append(training_ours(*arguments, **settings))
        return built[-1]

    training_ours = training.ours
    monkeypatch.setattr(training, "ours", recorded)
    taken, theirs, device = training.measured(32, 2, widths=["tiny"])
    assert list(taken) == [("tiny", "float32"), ("tiny", "bfloat16")]
    assert all(value > 0 for value in (*taken.values(), theirs))
    assert device == built[0].parallel.device
    assert [trainer.training.bfloat16 for trainer in built] == [False, True]
    assert {trainer.generator.config.generator_channels for trainer in built} == {16}


def test_the_parts_of_a_step_add_up_and_each_that_the_recipe_has_takes_time(capsys, tiny):
    training.shares(32, 2, n_steps=2, widths=["tiny"])
    printed = capsys.readouterr().out
    found = dict(re.findall(r"([a-z ]+) (\d+)%", printed))
    assert {" " + part for part in training.PARTS} == set(found)
    assert sum(map(int, found.values())) == pytest.approx(100, abs=len(found) / 2)
    assert int(found[" discriminator backward"]) > 0
    assert int(found[" generator backward"]) > 0


def test_competitors_take_equal_steps_and_end_with_clips_of_each_emotion(tiny):
    clips = training.random_clips(32, count=4)
    competitors = training.competitors(clips, 2, 3, seed=1)
    assert list(competitors)[-1] == "the published recipe written plainly"
    for step, generate in competitors.values():
        before = generate(clips.emotion)
        for _ in range(3):
            step()
        after = generate(clips.emotion)
        assert after.shape == (4, 1, 128, 32)
        assert torch.isfinite(after).all()
        assert not torch.equal(before, after)
