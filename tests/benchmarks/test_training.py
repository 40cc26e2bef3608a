"""The training benchmark measures what it says: both precisions at the widths asked for, against the plain recipe."""

from benchmarks import training
from benchmarks.straightforward import Straightforward


def test_both_precisions_are_measured_against_the_plain_recipe(monkeypatch):
    monkeypatch.setitem(training.WIDTHS, "tiny", (16, 2, 4))
    built = []

    def recorded(*arguments, **settings):
        built.append(training_ours(*arguments, **settings))
        return built[-1]

    training_ours = training.ours
    monkeypatch.setattr(training, "ours", recorded)
    monkeypatch.setattr(training, "Straightforward", lambda *given, **named: Straightforward(*given, 16, 4, **named))
    taken, theirs, device = training.measured(32, 2, widths=["tiny"])
    assert list(taken) == [("tiny", "float32"), ("tiny", "bfloat16")]
    assert all(value > 0 for value in (*taken.values(), theirs))
    assert device == built[0].parallel.device
    assert [trainer.training.bfloat16 for trainer in built] == [False, True]
    assert {trainer.generator.config.generator_channels for trainer in built} == {16}
