"""Signals: a training that is asked to stop saves a checkpoint, and its resumption is the unbroken run."""

import signal

import pytest

from musemo_hf.training.checkpoint import checkpoints, read_state
from musemo_hf.training.flow.settings import FlowTraining
from musemo_hf.training.flow.trainer import FlowTrainer
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.interruption import Interruption, TrainingInterrupted
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

FLOW = {"n_frames": 32, "patch_size": (128, 4), "n_components": 8, "width": 16, "depth": 1, "n_heads": 2}


@pytest.fixture
def make(gan_config, gan_training, vit_config, recogniser_training, clips, tmp_path):
    """`make(kind, folder)`: eight updates, and a checkpoint at the end only."""

    def trainer(kind, folder, **changes):
        changes = {"checkpoint_every": 0} | changes
        if kind == "gan":
            balanced = {"balance_window": 3, "accuracy_band": (0.0, 1e-6)}
            return GanTrainer(gan_config, gan_training(**(balanced | changes)), clips, tmp_path / folder)
        if kind == "flow":
            training = FlowTraining(steps=8, batch_size=4, log_every=1, warmup_steps=2, **changes)
            return FlowTrainer(FLOW, training, clips, tmp_path / folder)
        return RecogniserTrainer(vit_config, recogniser_training(**changes), clips, tmp_path / folder)

    return trainer


def signalled(trainer, step, *numbers):
    """Train, and let signals arrive in the middle of an update."""
    update = trainer.update

    def interrupted():
        if trainer.step == step:
            for number in numbers:
                signal.raise_signal(number)
        return update()

    trainer.update = interrupted
    with pytest.raises(TrainingInterrupted) as caught:
        trainer.train()
    return caught.value


@pytest.mark.parametrize("kind", ["gan", "flow", "recogniser"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_leaves_with_its_own_code(make, state, assert_same, tmp_path, kind, number, code):
    before = signal.getsignal(number)
    stop = signalled(make(kind, "stopped"), 4, number)
    assert stop.code == code
    assert f"{number.name} stopped the training {kind} at step 5: saved in" in str(stop)
    assert [read_state(path)["step"] for path in checkpoints(tmp_path / "stopped")] == [5]
    assert signal.getsignal(number) == before
    unbroken, resumed = make(kind, "unbroken"), make(kind, "stopped")
    for run in (unbroken, resumed):
        run.train()
    assert_same(state(unbroken), state(resumed))
    lines = [(tmp_path / folder / f"{kind}.jsonl").read_text() for folder in ("unbroken", "stopped")]
    assert lines[0] == lines[1]


def test_a_pretraining_is_stopped_and_resumed_too(make, state, assert_same, tmp_path):
    stopped = make("recogniser", "stopped", pretraining_steps=4)
    begin = stopped.begin

    def interrupted():
        signal.raise_signal(signal.SIGTERM)
        begin()

    # the signal arrives before the pretraining begins, and stops the training after its first update
    stopped.begin = interrupted
    with pytest.raises(TrainingInterrupted, match="stopped the training recogniser at step 1"):
        stopped.train()
    unbroken, resumed = (
        make("recogniser", "unbroken", pretraining_steps=4),
        make("recogniser", "stopped", pretraining_steps=4),
    )
    for run in (unbroken, resumed):
        run.train()
    assert_same(state(unbroken), state(resumed))


def test_a_signal_in_the_last_update_lets_the_run_end(make, tmp_path):
    run = make("recogniser", "run")
    update = run.update

    def last():
        if run.step == 7:
            signal.raise_signal(signal.SIGTERM)
        return update()

    run.update = last
    run.train()
    assert run.step == 8


def test_a_second_ctrl_c_ends_at_once_and_a_sigterm_after_it_does_not():
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with Interruption() as interruption:  # torchrun sends it to its children after a Ctrl-C
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert interruption.number == signal.SIGTERM


def test_a_run_without_a_folder_stops_and_says_so(vit_config, recogniser_training, clips):
    stop = signalled(RecogniserTrainer(vit_config, recogniser_training(), clips), 3, signal.SIGTERM)
    assert "at step 4: it has no folder" in str(stop)
