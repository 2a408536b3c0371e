"""Small networks trained by Adam side by side, each on rows of its own, each as it would be alone."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget
from ntkit.tasks.trainer import average_share

__all__ = ["Fleet", "alike"]


class Fleet:
    """Networks of one structure, with weights, buffers and numbers of their own.

    Where rows are points and the loss is one of outputs alone, all of them take a step at once
    (`torch.func.vmap`); else one after the other.

    Args:
        task: Knows the loss, and what a network says of a row.
        networks: As many as there are rows of rows; they are left as they are.
        budget: Steps and learning rate of Adam.
    """

    def __init__(self, task: AbstractTask, networks: Sequence[nn.Module], budget: Budget) -> None:
        self._metric, self._budget = task.metric, budget
        self._own = _Stacked(task, networks) if _is_plain(task) else _Apart(task, networks)
        self._mean = deepcopy(self._own)
        for w in self._own.weights:
            w.requires_grad_()
        self._adam = torch.optim.Adam(self._own.weights, lr=budget.lr, fused=True)

    def step(
        self,
        rows: Float[Tensor, "m n k"],
        true: Float[Tensor, "m n c"],
        done: int,
        generator: Generator,
    ) -> None:
        """One step of Adam of each on a batch of its own, and of the running averages of the weights."""
        self._adam.param_groups[0]["lr"] = self._budget.rate(done)
        self._adam.zero_grad()
        self._own.loss(rows, true, generator).backward()
        self._adam.step()
        with torch.no_grad():
            share = average_share(done)
            for mean, w in zip(self._mean.weights, self._own.weights, strict=True):
                mean.lerp_(w, share)

    @torch.no_grad()
    def sums(
        self, rows: Float[Tensor, "m n k"], true: Float[Tensor, "m n c"]
    ) -> Float[Tensor, "2 m s"]:
        """What the metric of the task sums, of each network as it stands and of its averaged weights."""
        found = []
        for which in (self._own, self._mean):
            pairs = zip(which.outputs(rows), true, strict=True)
            found.append(torch.stack([self._metric.sums(a, b) for a, b in pairs]))
        return torch.stack(found)


def alike(network: nn.Module) -> tuple[object, ...]:
    """What two networks have in common that can be stacked: all but their tensors' and floats' values."""
    found: list[object] = []
    for name, module in network.named_modules():
        plain = {k: v for k, v in vars(module).items() if isinstance(v, bool | int | str | tuple)}
        tensors = [
            *module.named_parameters(recurse=False),
            *module.named_buffers(recurse=False),
        ]
        shapes = tuple((k, tuple(t.shape)) for k, t in tensors)
        found.append((name, type(module), tuple(sorted(plain.items(), key=str)), shapes))
    return tuple(found)


def _is_plain(task: AbstractTask) -> bool:
    """Whether a row is a point, and the loss one of outputs alone."""
    return task.takes_points and type(task).predict is AbstractTask.predict


class _Stacked:
    """Weights, buffers and floats of all networks, `[m, ...]` each, and one of the networks to run with them."""

    def __init__(self, task: AbstractTask, networks: Sequence[nn.Module]) -> None:
        self._task = task
        parameters, self._buffers = stack_module_state([*networks])
        self._parameters = {k: v.detach() for k, v in parameters.items()}
        self._network = deepcopy(networks[0])
        self._numbers = _numbers(networks)

    @property
    def weights(self) -> list[Tensor]:
        return [*self._parameters.values()]

    def outputs(self, rows: Tensor) -> Tensor:
        """`[m, n, c]`: rows are points."""
        return vmap(self._one)(self._parameters, self._buffers, self._numbers, rows)

    def loss(self, rows: Tensor, true: Tensor, generator: Generator) -> Tensor:
        """The sum of all losses: each has weights of its own, and so its own gradient."""
        del generator
        return vmap(self._task.loss)(self.outputs(rows), true).sum()

    def _one(
        self,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        numbers: dict[str, Tensor],
        rows: Tensor,
    ) -> Tensor:
        for place, value in numbers.items():
            module, _, name = place.rpartition(".")
            setattr(self._network.get_submodule(module), name, value)
        return functional_call(self._network, (parameters, buffers), (rows,))


def _numbers(networks: Sequence[nn.Module]) -> dict[str, Tensor]:
    """`[m]` each: the floats of the modules that are not the same in all networks (a layer's frequency)."""
    found: dict[str, list[float]] = {}
    for network in networks:
        for path, module in network.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, float):
                    found.setdefault(f"{path}.{name}", []).append(value)
    return {k: torch.tensor(v) for k, v in found.items() if len(set(v)) > 1}


class _Apart:
    """Networks that are asked one after the other, each of a task of its own: it may learn on the way."""

    def __init__(self, task: AbstractTask, networks: Sequence[nn.Module]) -> None:
        self._tasks = [task.for_training() for _ in networks]
        self._networks = [deepcopy(n).requires_grad_(False) for n in networks]

    @property
    def weights(self) -> list[Tensor]:
        return [p for network in self._networks for p in network.parameters()]

    def outputs(self, rows: Tensor) -> list[Tensor]:
        """`[n, c]` of each."""
        each = zip(self._tasks, self._networks, rows, strict=True)
        return [task.predict(network, x) for task, network, x in each]

    def loss(self, rows: Tensor, true: Tensor, generator: Generator) -> Tensor:
        """The sum of all losses."""
        each = zip(self._tasks, self._networks, rows, true, strict=True)
        return torch.stack([t.training_loss(n, x, y, generator) for t, n, x, y in each]).sum()
