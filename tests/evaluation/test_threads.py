import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from musemo_hf.evaluation.threads import over_clips, single_blas


def blas_threads():
    return {pool["num_threads"] for pool in ThreadpoolController().info() if pool["user_api"] == "blas"}


def test_blas_has_one_thread_inside_and_its_own_again_outside():
    with threadpool_limits(2, user_api="blas"):
        with single_blas:
            with single_blas:
                assert blas_threads() == {1}
            assert blas_threads() == {1}
        assert blas_threads() == {2}
        with pytest.raises(ZeroDivisionError):
            over_clips(lambda clip: 1 / clip, [1, 0])
        assert blas_threads() == {2}


def test_results_come_in_order():
    assert over_clips(lambda clip: 2 * clip, range(50)) == list(range(0, 100, 2))
