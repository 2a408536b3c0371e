"""Settings of the process come back, whoever leaves first."""

import threading

import pytest
import torch

from ntkit._core.settings import full_products, plain_attention
from ntkit._core.threads import in_threads


def test_the_last_to_leave_puts_back() -> None:
    fast, flash = torch.backends.mha.get_fastpath_enabled(), torch.backends.cuda.flash_sdp_enabled()
    first, second = plain_attention(), plain_attention()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not torch.backends.mha.get_fastpath_enabled()
    assert not torch.backends.cuda.flash_sdp_enabled()
    second.__exit__(None, None, None)
    assert torch.backends.mha.get_fastpath_enabled() == fast
    assert torch.backends.cuda.flash_sdp_enabled() == flash


def test_they_come_back_after_an_error() -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with pytest.raises(ZeroDivisionError), full_products():
            assert torch.get_float32_matmul_precision() == "highest"
            raise ZeroDivisionError
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_the_thread_count_comes_back_from_two_at_once() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    barrier = threading.Barrier(2, timeout=20)
    counts: list[int] = []

    def one() -> None:
        with in_threads(lambda k: k, range(2), 2) as done:
            barrier.wait()
            list(done)
        barrier.wait()
        counts.append(torch.get_num_threads())

    try:
        workers = [threading.Thread(target=one) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert counts == [2, 2]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
