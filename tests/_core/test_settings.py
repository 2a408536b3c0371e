"""Settings of the process come back, whoever leaves first."""

import threading
from typing import Any

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


def _precisions() -> list[object]:
    backends: Any = torch.backends
    return [
        backends.cuda.matmul.fp32_precision,
        backends.cudnn.conv.fp32_precision,
        backends.mkldnn.matmul.fp32_precision,
    ]


@pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="needs torch 2.9"
)
@pytest.mark.parametrize("words", ["old", "new"])
def test_products_and_convolutions_are_full_whichever_way_tf32_was_asked_for(words: str) -> None:
    before = torch.backends.cuda.matmul.fp32_precision, torch.get_float32_matmul_precision()
    try:
        if words == "old":
            torch.set_float32_matmul_precision("high")
        else:
            torch.backends.cuda.matmul.fp32_precision = "tf32"
        asked = _precisions()
        with full_products():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.allow_tf32
            assert not {"tf32", "bf16"} & set(_precisions())
        assert _precisions() == asked
    finally:
        torch.set_float32_matmul_precision(before[1])
        torch.backends.cuda.matmul.fp32_precision = before[0]


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
