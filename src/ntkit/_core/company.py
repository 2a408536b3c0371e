"""Whether a sample's output is its own: every probed sample alone, against itself in company."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock

import torch
from torch import Tensor

from ntkit._core.company_rows import midpoints, spread, telling_rows
from ntkit._core.rounding import Rounding
from ntkit._core.settings import full_products

__all__ = ["Run", "mixing", "refuse_mixing"]

Run = Callable[[tuple[Tensor, ...]], Tensor]
"""A network on some samples: tensors with the samples on axis 0 in, one row a sample out."""

_ONE_AT_A_TIME = RLock()
"""Of a check, which looks at torch's own random state and puts it back: another thread's check would move it."""

_WIDE = 32
"""Samples of the largest company."""

_TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4, torch.float16: 4e-3}
"""Change of a sample's outputs, relative to the largest of them, that needs no second look: products of
many rows round otherwise than those of one, by some tens of units of the last place where sums are
long. Coarser types (bfloat16) have 0.02. What is above is weighed by `Rounding`."""

_COARSE = 2e-2
"""Of types coarser than these: five units in the last place of bfloat16, which are `2^-8`."""

_NEGLIGIBLE = 1e-2
"""Outputs of a sample count as this large at least, relative to the largest of any: a zero that becomes
1e-12 in company is rounding, and one that becomes 1 is not, whatever rounding makes of the zero."""

_DRAWS = 16
"""Times that rounding errors are drawn, for each sample that needs it: where they grow without bound, what
they come to is now nothing, now all."""

_RUNS = 64
"""Of a network under whose first ones the random state has moved: who draws moves it each time."""

_FACTOR = 32.0
"""What the company may change, in units of what rounding errors do to the sample alone. A network that
blows rounding up may have any change: it is not refused for that."""

_ADVICE = (
    "Call `.eval()` on it; or take out of it what draws, and what goes along axis 0 of its tensors "
    "(fixed statistics in place of the batch's, `batch_first=True`, `dim=1`)."
)


def refuse_mixing(name: str, run: Run, points: Sequence[Tensor], why: str) -> None:
    """Refuse a network that draws random numbers, or whose output of a sample depends on the others.

    Args:
        name: What it is called, with its quotes.
        run: The network.
        points: Its arguments, samples on axis 0: rows of the user's own.
        why: What is not defined then, a sentence.

    Raises:
        ValueError: It does.
    """
    found = mixing(run, points)
    if found is not None:
        raise ValueError(f"{name} {found} {why} {_ADVICE}")


def mixing(run: Run, points: Sequence[Tensor]) -> str | None:
    """None if each sample's output is a function of it alone, else what was seen, as a predicate.

    Telling rows of the points (largest, smallest, most and least padded, first, last) run one by one,
    in company, in reversed order with more of the points, and beside points half-way between them.
    A dozen runs of few samples each; random state is kept. Other threads may draw meanwhile.

    Args:
        run: The network; what it raises on the points themselves is raised.
        points: Its arguments, samples on axis 0.
    """
    with _ONE_AT_A_TIME, _apart(points[0].device):
        return _Probe(run, points).found()


class _Probe:
    """The runs of one check."""

    def __init__(self, run: Run, points: Sequence[Tensor]) -> None:
        self._run, self._points = run, tuple(points)
        self._floor = 0.0  # what sizes count as at least
        self._rounding = 0.0  # the largest relative change that it made, in any of the samples

    def found(self) -> str | None:
        """As `mixing`."""
        rows = telling_rows(self._points)
        few = tuple(t[rows] for t in self._points)
        device = few[0].device
        before = _random_state(device)
        try:
            alone = self._one_by_one(few)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            return self._refuses_one(few, error)
        self._note_size(torch.stack(alone) if len({len(v) for v in alone}) == 1 else alone[0])
        if before != _random_state(device) and self._draws(tuple(t[:1] for t in few)):
            return "draws random numbers when it runs."
        own = list(range(len(rows)))
        found = self._compared(few, own, alone) if len(rows) > 1 else None
        if found is None and len(self._points[0]) > 1:
            others = spread(len(self._points[0]), _WIDE)
            wide = tuple(torch.cat([t[rows].flip(0), t[others]]) for t in self._points)
            found = self._compared(wide, own[::-1], alone)
        return found or self._beside_midpoints(few, alone)

    def _refuses_one(self, few: tuple[Tensor, ...], error: Exception) -> str:
        """What it is that runs in company only; where it does not either, that error says more."""
        self._run(tuple(torch.cat([t, t]) for t in few))
        return f"mixes the samples of a batch: it runs in company, and not on one alone ({error})."

    def _beside_midpoints(self, few: tuple[Tensor, ...], alone: list[Tensor]) -> str | None:
        """The same with samples that are not the user's; where they are not taken, nothing."""
        between = midpoints(few)
        if between is None:
            return None
        k = len(alone)
        try:
            values = [*alone, *self._one_by_one(between)]
            both = tuple(torch.cat(pair) for pair in zip(between, few, strict=True))
            order = [*range(k, len(values)), *range(k)]
            return self._compared(both, order, values)
        except Exception:  # the user's code may refuse what is not the user's
            return None

    def _draws(self, sample: tuple[Tensor, ...]) -> bool:
        """Whether the random state moves in each of many runs: in some, another thread may have moved it."""
        for _ in range(_RUNS):
            before = _random_state(sample[0].device)
            self._run(sample)
            if before == _random_state(sample[0].device):
                return False
        return True

    def _one_by_one(self, few: tuple[Tensor, ...]) -> list[Tensor]:
        return [
            self._run(tuple(t[i : i + 1] for t in few)).detach().reshape(-1)
            for i in range(len(few[0]))
        ]

    def _compared(
        self, company: tuple[Tensor, ...], own: Sequence[int], alone: Sequence[Tensor]
    ) -> str | None:
        """As `mixing`: the first rows of `company` are those of `alone`, in the order `own`."""
        n, y = len(company[0]), self._run(company).detach()
        each = alone[0].numel()
        if y.numel() != n * each or any(len(value) != each for value in alone):
            return "mixes the samples of a batch: it gives more numbers for a sample in company, or fewer."
        y = y.reshape(n, each)
        self._note_size(y)
        for place, index in enumerate(own if each else ()):
            change = self._change(y[place], alone[index])
            if change <= _TOLERANCE.get(y.dtype, _COARSE):
                continue
            sample = tuple(t[place : place + 1] for t in company)
            again = self._run(sample).detach().reshape(-1)
            if self._change(again, alone[index]) > 0.5 * change:
                return "gives other values each time it runs."
            if not self._is_rounding(sample, alone[index], change):
                return (
                    "mixes the samples of a batch: the outputs of one that runs alone change by "
                    f"{change:.2g} of the largest of them in company."
                )
        return None

    def _note_size(self, values: Tensor) -> None:
        if values.numel():
            size = float(values.abs().nan_to_num(0.0, 0.0, 0.0).amax())
            self._floor = max(self._floor, _NEGLIGIBLE * size)

    def _change(self, here: Tensor, there: Tensor) -> float:
        """Largest difference over the largest entry `there`.

        Infinite where only one has values, zero where both have none.
        """
        if not bool(torch.isfinite(there).all()):
            return 0.0
        change = float((here - there).abs().amax())
        if change == 0:
            return 0.0
        size = max(float(there.abs().amax()), self._floor)
        return change / size if change == change and size else float("inf")

    def _is_rounding(self, sample: tuple[Tensor, ...], value: Tensor, change: float) -> bool:
        """Whether rounding errors of each operation may make such a relative change of the outputs."""
        for seed in range(_DRAWS):
            if change <= _FACTOR * self._rounding:
                break
            with Rounding(seed):
                moved = self._change(self._run(sample).detach().reshape(-1), value)
            self._rounding = max(self._rounding, moved)
        return change <= _FACTOR * self._rounding


def _random_state(device: torch.device) -> list[bytes]:
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return [state.numpy().tobytes() for state in states]


@contextmanager
def _apart(device: torch.device) -> Iterator[None]:
    """Random state is kept, warnings are not shown: the run itself gives them.

    In full float32: with TF32, convolutions of one and of many samples would differ by 1e-3.
    """
    with (
        full_products(),
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
    ):
        warnings.simplefilter("ignore")
        yield
