"""One training of a coordinate network, step by step: it can be stopped anywhere, and goes on from there."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple
from math import inf, isfinite, nan

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ntkit._core.checks import module, random_source
from ntkit._core.denormals import flushed_denormals
from ntkit._core.devices import device_of
from ntkit._core.errors import NumericalError
from ntkit.encodings import AbstractFourier
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget, Evaluation
from ntkit.tasks.split import split_encoding

__all__ = ["Trainer", "average_share", "check_precision", "decayed_average", "evaluate"]

_EVALUATION_ROWS = 8192
"""Samples that pass through the network at once: 8 MB for 256 units in float32."""

_ENCODED_ROWS = 2**19  # a gigabyte of 512 features
_DECAY = 20  # `g` of the averaged weights
_JUDGED_ROWS = 2**14  # of each kind, at evaluations before the last
_COORDINATES = (
    "`precision='bfloat16'` is of networks that begin with Fourier features of fixed frequencies, trained on samples of a "
    "field. Here coordinates would go into the products, and bfloat16 rounds them to 1 part in 256. Take an encoding "
    "such as gaussian, or float32."
)


class Trainer:
    """A training of `network` in place, see `ntkit.tasks.train`; its state can be saved and put back.

    Args:
        network: Coordinates `[n, d]` to outputs `[n, o]`.
        task: What to fit.
        budget: Optimiser, learning rate, steps and batch size.
        average: Whether to keep a running average of the weights besides.
        keep_best: Whether `take_better` gives the weights of that evaluation which fits best what is held out, of all so
            far.
        generator: Source of the batches, on the CPU; a fixed seed if left out.

    Raises:
        ValueError: The budget asks for bfloat16, and coordinates would go into the products.

    Attributes:
        step: Steps taken.
        evaluations: What was measured so far.

    Example:
        >>> import torch, ntkit
        >>> picture = ntkit.tasks.Image(torch.rand(8, 8))
        >>> net = ntkit.networks.mlp(ntkit.encodings.Basic(2), 1, width=8, depth=1)
        >>> isinstance(Trainer(net, picture, ntkit.tasks.Budget(steps=2)), Trainer)
        True
    """

    def __init__(
        self,
        network: nn.Module,
        task: AbstractTask,
        budget: Budget,
        *,
        average: bool = False,
        keep_best: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        self.step: int = 0
        self.evaluations: list[Evaluation] = []
        self._budget = budget
        self._products: AbstractContextManager[object] = nullcontext()
        self._task = task.for_training()
        self._generator = random_source(generator) or torch.Generator().manual_seed(0)
        module("network", network)
        self._encoding, self._body = _split(network, task)
        device = device_of(network)
        x, self._y = (part.float().to(device=device) for part in task.training())
        self._held_out = tuple(part.float().to(device=device) for part in task.judged())
        check_precision(network, task, budget)
        if budget.precision == "bfloat16":
            self._products = torch.autocast(self._y.device.type, torch.bfloat16)
        n = len(x)
        self._encoding_left = self._encoding
        if (
            budget.steps * min(budget.batch_size, n) > n and n <= _ENCODED_ROWS
        ):  # else batch by batch
            with torch.no_grad():
                x = self._encoding(x)
            self._encoding_left = nn.Identity()
        self._x = x
        # Written over in each step: 8 MB of fresh memory would be handed out page by page.
        size = budget.batch_size if budget.batch_size < n else 0
        self._batch = x.new_empty(size, *x.shape[1:]), self._y.new_empty(size, *self._y.shape[1:])
        trained = [p for p in self._body.parameters() if p.requires_grad]
        self._optimiser = budget.torch_optimiser(trained)
        self._mean = AveragedModel(self._body, multi_avg_fn=_decay_all) if average else None
        self._keeps_best, self._best = keep_best, dict[str, Tensor]()

    def run(
        self,
        *,
        evaluate_at: Sequence[int] | None = None,
        on_step: Callable[[int, float], None] | None = None,
        on_evaluation: Callable[[Evaluation], None] | None = None,
    ) -> None:
        """Take the steps that are left of the budget.

        Args:
            evaluate_at: Steps after which to evaluate; the last one if left out.
            on_step: Called after each step with its number and its batch's loss; what it raises
                ends the run at a step, from where it can go on.
            on_evaluation: Called with each evaluation.

        A loss that is no longer finite is a `NumericalError`.
        """
        stops = {self._budget.steps} if evaluate_at is None else set(evaluate_at)
        with flushed_denormals():
            while True:
                judged = self.evaluations[-1].step if self.evaluations else 0
                if self.step in stops and self.step > judged:
                    self.judge()
                    if on_evaluation:
                        on_evaluation(self.evaluations[-1])
                if self.step == self._budget.steps:
                    return
                loss = self._advance()
                if on_step:
                    on_step(self.step, loss)

    def judge(self) -> None:
        """Add an evaluation of the step that it stands at."""
        least = min((e.held_out for e in self.evaluations), default=inf)
        module, found = self._evaluated()
        if self._keeps_best and found.held_out < least:
            self._best = {k: v.detach().clone() for k, v in module.state_dict().items()}
        self.evaluations.append(found)

    def take_better(self) -> None:
        """Give the network its averaged weights where they fit the training samples better.

        With `keep_best` those that fitted best what is held out, once there was an evaluation of it.
        """
        if self.step == 0:
            return
        if self._best:
            self._body.load_state_dict(self._best)
            return
        if self.evaluations and self.evaluations[-1].step == self.step:
            averaged = self.evaluations[-1].averaged
        else:
            averaged = self._better(self._fewest)[0] is not self._body
        if averaged and self._mean is not None:
            with torch.no_grad():
                for own, mean in zip(
                    self._body.parameters(), self._mean.module.parameters(), strict=True
                ):
                    own.copy_(mean)

    def state(self) -> dict[str, Tensor]:
        """Everything that the steps to come depend on, as a flat dict of copies.

        Not the task, the budget and the seed of the encoding, which `Trainer` is made with.
        """
        found = {f"network.{k}": v for k, v in self._body.state_dict().items()}
        for index, slots in self._optimiser.state_dict()["state"].items():
            found |= {f"optimiser.{index}.{k}": torch.as_tensor(v) for k, v in slots.items()}
        if self._mean is not None:
            found |= {f"mean.{k}": v for k, v in self._mean.state_dict().items()}
        found |= {f"task.{k}": v for k, v in self._task.learned().items()}
        found |= {f"best.{k}": v for k, v in self._best.items()}
        found["generator"] = self._generator.get_state()
        found["step"] = torch.tensor(self.step)
        rows = [astuple(e) for e in self.evaluations]
        found["evaluations"] = torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)
        return {k: v.detach().cpu().clone() for k, v in found.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` returned, of a trainer made with the same arguments.

        Raises:
            ValueError: It is the state of another network, or of another kind of training.
        """

        def part(name: str) -> dict[str, Tensor]:
            start = f"{name}."
            return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}

        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in part("optimiser").items():
            index, name = key.split(".", 1)
            slots.setdefault(int(index), {})[name] = value
        try:
            self._body.load_state_dict(part("network"))
            groups = self._optimiser.state_dict()["param_groups"]
            self._optimiser.load_state_dict({"state": slots, "param_groups": groups})
            if self._mean is not None:
                self._mean.load_state_dict(part("mean"))
            self._task.put_back(part("task"))
            device = device_of(self._body)
            self._best = {k: v.to(device, copy=True) for k, v in part("best").items()}
            self._generator.set_state(state["generator"])
            self.step = int(state["step"])
            rows = state["evaluations"].tolist()
        except (RuntimeError, KeyError) as error:
            raise ValueError(
                f"`state` does not belong to this training: {str(error).splitlines()[0]} "
                "Make the trainer with the network, task and budget of the state."
            ) from None
        self.evaluations = [Evaluation(int(s), t, h, bool(a)) for s, t, h, a in rows]

    def _advance(self) -> float:
        """One step; the loss of its batch, before the step.

        Raises:
            NumericalError: The loss is not finite.
        """
        x, y, size = self._x, self._y, self._budget.batch_size
        if len(y) > size:
            batch = torch.randint(len(y), (size,), generator=self._generator).to(y.device)
            torch.index_select(x, 0, batch, out=self._batch[0])
            torch.index_select(y, 0, batch, out=self._batch[1])
            x, y = self._batch
        for group in self._optimiser.param_groups:
            group["lr"] = self._budget.rate(self.step)
        self._optimiser.zero_grad()
        rows = self._encoding_left(x)
        with self._products:
            loss = self._task.training_loss(self._body, rows, y, self._generator)
        value = float(loss.detach())
        if not isfinite(value):
            raise NumericalError(
                f"The training diverged: at step {self.step + 1} the loss is {value}. "
                f"Take a learning rate below {self._budget.lr:g}."
            )
        loss.backward()
        self._optimiser.step()
        if self._mean is not None:
            self._mean.update_parameters(self._body)
        self.step += 1
        return value

    def _evaluated(self) -> tuple[nn.Module, Evaluation]:
        """The weights or their average, and their errors."""
        is_last = self.step == self._budget.steps
        few = self._fewest if is_last else max(1, len(self._y) // _JUDGED_ROWS)
        best, error = self._better(few)
        x, y = self._held_out
        few = max(1, len(y) // (self._task.most_judged or len(y) or 1)) if is_last else few
        held_out = evaluate(self._task, best, x[::few], y[::few], self._encoding)
        return best, Evaluation(self.step, error, held_out, averaged=best is not self._body)

    @property
    def _fewest(self) -> int:
        """One training row of how many is looked at, where it matters most."""
        most = self._task.most_judged
        return 1 if most is None else max(1, 4 * len(self._y) // most)

    def _better(self, few: int) -> tuple[nn.Module, float]:
        """Of the weights and their average those that fit better, and their error."""
        x, y, encoding = self._x[::few], self._y[::few], self._encoding_left
        error = evaluate(self._task, self._body, x, y, encoding)
        if self._mean is not None:
            averaged = evaluate(self._task, self._mean.module, x, y, encoding)
            if averaged < error:
                return self._mean.module, averaged
        return self._body, error


def check_precision(network: nn.Module, task: AbstractTask, budget: Budget) -> None:
    """Refuse bfloat16 where coordinates would go into the products.

    Raises:
        ValueError: They would.
    """
    is_encoded = isinstance(_split(network, task)[0], AbstractFourier)
    if budget.precision == "bfloat16" and not is_encoded:
        raise ValueError(_COORDINATES)


def _split(network: nn.Module, task: AbstractTask) -> tuple[nn.Module, nn.Module]:
    """What is computed once of the points of samples, and the rest."""
    return split_encoding(network) if task.takes_points else (nn.Identity(), network)


def decayed_average(averaged: Tensor, weight: Tensor, steps: Tensor | int) -> Tensor:
    """An average of so many steps with one more, as `Trainer(..., average=True)` keeps it."""
    return averaged.lerp(weight, average_share(int(steps)))


def average_share(steps: int) -> float:
    """What the next step counts in an average of so many."""
    return (_DECAY + 1) / (_DECAY + 1 + steps)


def _decay_all(averaged: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
    """`decayed_average` of each, in place: the `multi_avg_fn` of an `AveragedModel`."""
    share = average_share(int(steps))
    for mean, weight in zip(averaged, weights, strict=True):
        mean.lerp_(weight, share)


def evaluate(
    task: AbstractTask, network: nn.Module, rows: Tensor, true: Tensor, encoding: nn.Module
) -> float:
    """Error of `network` (on encoded rows) by the metric of the task, some thousands at a time; NaN of none."""
    if not len(true):
        return nan
    with torch.no_grad():
        batches = zip(rows.split(_EVALUATION_ROWS), true.split(_EVALUATION_ROWS), strict=True)
        sums = [task.metric.sums(task.predict(network, encoding(x)), y) for x, y in batches]
    return task.metric.error(torch.stack(sums).sum(0))
