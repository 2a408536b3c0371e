"""What is compared: the ladder, the names, and the encodings that they build."""

from itertools import pairwise

import pytest
import torch

from ntkit import encodings
from ntkit.tasks import Signal
from ntkit.tuning import COMPARED, ENCODINGS, Candidate
from ntkit.tuning.candidates import candidates, default_bandwidths
from tests.cases import randn, seeded


def grid(*shape: int) -> Signal:
    return Signal(randn(*shape), n_axes=len(shape))


@pytest.mark.parametrize("n", [8, 64, 100, 256, 512, 4096, 10**5])
def test_the_ladder_ends_where_it_should(n: int) -> None:
    """At an eighth of the samples, half of the Nyquist frequency of every other one; 10 at least."""
    ladder = default_bandwidths(grid(8, n))
    assert ladder[0] == 1 if n <= 4800 else 1 < ladder[0] < n / 2400
    assert list(ladder) == sorted(set(ladder))
    assert n > 4800 or {1.0, 2.0, 4.0, 7.0, 10.0} <= set(ladder)
    assert ladder[-1] <= max(10, n / 8)
    ratios = [b / a for a, b in pairwise(ladder)]
    assert max(ratios) <= 2
    if n >= 80:
        assert ladder[-1] * 2 > n / 8  # not a rung too short
    assert default_bandwidths(grid(n, 8)) == ladder


def test_one_candidate_a_bandwidth_in_order_without_repeats() -> None:
    found = candidates(grid(64, 48), COMPARED, [7.0, 1, 7])
    assert [str(c) for c in found] == [
        "identity", "basic", "positional 12", "gaussian 1", "gaussian 7",
    ]  # fmt: skip
    assert candidates(grid(64), ["basic", "basic"], []) == [Candidate("basic")]
    assert candidates(grid(64, 48), ["nerf"], []) == [Candidate("nerf", 8.0)]
    assert candidates(grid(64), ["gaussian"], [2]) == [Candidate("gaussian", 2.0)]


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("candidate", candidates(grid(64), ENCODINGS, [3.0]), ids=str)
def test_the_code_builds_the_same_encoding(candidate: Candidate, d: int) -> None:
    """The line to paste, evaluated, against what was tried."""
    built = candidate.build(d, 24, seeded())
    assert built.in_dim == d
    torch.manual_seed(0)
    pasted = eval(candidate.code(d, 24), {"ntkit": type("ntkit", (), {"encodings": encodings})})
    x = torch.rand(5, d, generator=seeded(1))
    assert repr(pasted) == repr(built)
    if candidate.name == "nerf":
        assert float(built.frequencies.max()) == candidate.bandwidth
    if candidate.name != "gaussian":
        assert torch.equal(pasted(x), built(x))
    else:
        assert pasted.bandwidth == built.bandwidth == 3.0
        whole = candidate.build(d, 24, seeded(), integer=True)
        assert torch.equal(whole.frequencies, built.frequencies.round())


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: candidates(grid(9), ["siren"], [1.0]),
            ValueError,
            r"\('siren',\).* name some of id",
        ),
        (lambda: candidates(grid(9), [], [1.0]), ValueError, r"`encodings=\(\)` must name some of"),
        (
            lambda: candidates(grid(9), ["gaussian"], []),
            ValueError,
            r"`bandwidths=\(\)` leaves the",
        ),
        (
            lambda: candidates(grid(9), ["gaussian"], [-1.0]),
            ValueError,
            "`bandwidths=-1.0` must be",
        ),
        (lambda: candidates(grid(9), ["gaussian"], [0.0]), ValueError, "`bandwidths=0.0` must be"),
        (lambda: candidates(grid(9), ["gaussian"], [float("inf")]), ValueError, "`bandwidths=inf`"),
        (
            lambda: candidates(grid(9), ["gaussian"], ["1"]),
            TypeError,
            "`bandwidths='1'` must be a n",
        ),
    ],
)
def test_errors(unchecked, call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()
