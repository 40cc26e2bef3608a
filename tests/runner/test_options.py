"""The command-line arguments that choose an engine."""

import argparse

import pytest

from musemo_hf.runner.engines import InProcess, WorkerProcesses
from musemo_hf.runner.options import add_arguments, make_engine


def engine(*arguments, num_processes=1):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return make_engine(parser.parse_args(arguments), num_processes)


def test_the_local_engine_is_the_default():
    assert isinstance(engine(), InProcess)
    assert isinstance(engine(num_processes=2), InProcess)
    jobs = engine("--jobs", "3")
    assert isinstance(jobs, WorkerProcesses)
    assert jobs.capacity == 3


def test_ray_takes_an_address_and_the_resources_of_a_task():
    cluster = engine("--engine", "ray", "--address", "host:6379", "--num-cpus", "4", "--num-gpus", "0.5")
    assert (cluster.address, cluster.num_cpus, cluster.num_gpus) == ("host:6379", 4, 0.5)


@pytest.mark.parametrize(
    ("arguments", "num_processes", "message"),
    [
        (["--address", "auto"], 1, "expected --engine ray with --address"),
        (["--engine", "ray", "--jobs", "2"], 1, "expected --jobs with --engine local"),
        (["--engine", "ray"], 2, "expected one process with --engine ray or --jobs"),
        (["--jobs", "2"], 2, "expected one process with --engine ray or --jobs"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, num_processes, message):
    with pytest.raises(ValueError, match=message):
        engine(*arguments, num_processes=num_processes)
