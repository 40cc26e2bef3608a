import json

import pytest
from accelerate import Accelerator

from musemo_hf.training.log import Statistics, read_statistics
from musemo_hf.training.parallel import Parallel


@pytest.fixture(scope="module")
def parallel():
    return Parallel(Accelerator(cpu=True))


def test_one_object_a_line(tmp_path, parallel):
    statistics = Statistics(tmp_path / "deep" / "gan.jsonl", parallel)
    statistics.log(0, loss=1.5, note="text")
    statistics.log(1, loss=0.5)
    path = tmp_path / "deep" / "gan.jsonl"
    assert [json.loads(line) for line in path.read_text().splitlines()] == read_statistics(path)
    assert read_statistics(path) == [{"step": 0, "loss": 1.5, "note": "text"}, {"step": 1, "loss": 0.5}]


def test_a_resumed_run_makes_its_lines_again(tmp_path, parallel):
    path = tmp_path / "gan.jsonl"
    first = Statistics(path, parallel)
    for step in range(5):
        first.log(step, loss=float(step))
    resumed = Statistics(path, parallel, start=3)
    resumed.log(3, loss=30.0)
    assert [(line["step"], line["loss"]) for line in read_statistics(path)] == [(0, 0), (1, 1), (2, 2), (3, 30)]


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path, parallel):
    path = tmp_path / "gan.jsonl"
    path.write_text('{"step": 0, "loss": 1.0}\n{"step": 1, "lo')
    assert read_statistics(path) == [{"step": 0, "loss": 1.0}]
    Statistics(path, parallel, start=5).log(5, loss=2.0)
    assert [line["step"] for line in read_statistics(path)] == [0, 5]


def test_a_new_run_begins_anew(tmp_path, parallel):
    path = tmp_path / "gan.jsonl"
    path.write_text('{"step": 0}\n')
    Statistics(path, parallel)
    assert read_statistics(path) == []


def test_the_tracker_gets_the_numbers(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accelerator = Accelerator(cpu=True, log_with="tensorboard", project_dir=tmp_path)
    accelerator.init_trackers("run")
    Statistics(tmp_path / "gan.jsonl", Parallel(accelerator)).log(4, loss=1.5, note="text")
    accelerator.end_training()
    events = next(path for path in tmp_path.rglob("events*") if path.is_file())
    accumulator = EventAccumulator(str(events.parent))
    accumulator.Reload()
    (scalar,) = accumulator.Scalars("gan/loss")
    assert (scalar.step, scalar.value) == (4, 1.5)
