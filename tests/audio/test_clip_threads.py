import threading

import pytest
import torch

from musemo_hf.audio.clip_threads import clip_threads, map_clips
from musemo_hf.audio.inversion import mel_to_audio
from musemo_hf.audio.mel import log_mel


@pytest.fixture
def torch_threads():
    """`torch_threads(n)` sets the number of torch's threads until the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_results_are_in_order_and_each_thread_has_one_of_torch(torch_threads):
    torch_threads(3)
    meet = threading.Barrier(3, timeout=20)

    def work(item):
        if item < 3:
            meet.wait()  # three threads are at work at once, or this fails
        return item, torch.get_num_threads(), torch.is_grad_enabled()

    assert map_clips(work, range(7)) == [(item, 1, False) for item in range(7)]
    assert torch.get_num_threads() == 3
    assert torch.is_grad_enabled()


def test_threads_that_begin_later_have_torchs_number(torch_threads):
    torch_threads(2)
    map_clips(lambda item: item, range(4))
    seen = []
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert seen == [2]


def test_the_calling_thread_works_alone_where_torch_has_one_thread(torch_threads):
    torch_threads(1)
    assert map_clips(lambda _: threading.get_ident(), range(3)) == [threading.get_ident()] * 3


def test_an_error_comes_out_and_the_number_of_threads_comes_back(torch_threads):
    torch_threads(2)
    with pytest.raises(ZeroDivisionError), clip_threads() as over:
        over(lambda item: 1 / item, [1, 0])
    assert torch.get_num_threads() == 2
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("n_clips", [1, 3])
def test_any_number_of_threads_hears_and_makes_the_same(music, torch_threads, n_clips):
    samples = torch.stack([torch.from_numpy(music(3, seed=seed)) for seed in range(n_clips)])
    answers = []
    for threads in (1, 2, 4):
        torch_threads(threads)
        mels = log_mel(samples)
        answers.append((mels, mel_to_audio(mels, n_iter=3)))
    for mels, audio in answers[1:]:
        assert torch.equal(mels, answers[0][0])
        assert torch.equal(audio, answers[0][1])
