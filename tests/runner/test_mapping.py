"""A function over many items: in order, in one process as in several."""

import pytest

from musemo_hf.runner.mapping import map_tasks


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(example, jobs):
    assert list(map_tasks(example.double, range(30), jobs)) == [2 * number for number in range(30)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_arrives_where_its_result_would(example, jobs):
    results = map_tasks(example.double, [1, -1, 2], jobs)
    assert next(results) == 2
    with pytest.raises(ValueError, match="expected a number of at least 0, got -1"):
        next(results)


def test_no_jobs_are_refused(example):
    with pytest.raises(ValueError, match="expected at least one job, got 0"):
        list(map_tasks(example.double, [1], 0))
