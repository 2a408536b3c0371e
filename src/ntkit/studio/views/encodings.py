"""Encodings side by side: each at its best bandwidth, by the kernel; and networks of other kinds, trained for real."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ntkit._core.pixels import rgba
from ntkit.studio.asks import Ask, Reply, number, one_of
from ntkit.studio.desk import Desk, Drawer
from ntkit.tasks import Budget, Image
from ntkit.tasks.signal import with_error
from ntkit.tuning import Candidate, NetworkPlan, Row, Trained, rungs, trained, usual_of

__all__ = ["ASKS", "LADDERS", "NETWORKS"]

LADDERS: Mapping[str, tuple[float, ...]] = {
    "gaussian": (1.0, 2.0, 4.0, 6.0, 8.5, 12.0, 17.0, 24.0, 34.0),
    "positional": (2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    "basic": (),
    "identity": (),
}
"""Encodings in the order in which they are computed, and the bandwidths at which they are tried."""

NETWORKS = ("mlp", "siren", "finer", "wire", "hash")
"""What can be trained: the best Gaussian encoding in front of the ReLU network, and other families."""

_RATE, _BATCH = 1e-3, 1024
"""Of Adam, as `ntkit tune` takes them, but for smaller batches that two cores show live."""

_KEPT = 4  # tables, of some ten megabytes each
_TOLD = 5  # steps between two replies, which hold pictures


@dataclass(frozen=True, eq=False)
class _Best:
    """An encoding at its best bandwidth: what is predicted, and the picture with its error."""

    row: Row
    pictures: dict[str, Any]


@dataclass(eq=False)
class _Table:
    """What is known at one budget and one number of features."""

    task: Image
    budget: Budget
    plan: NetworkPlan
    best: dict[str, _Best] = field(default_factory=dict)
    networks: dict[str, tuple[Candidate, Trained]] = field(default_factory=dict)

    def compute(self, name: str) -> _Best:
        """An encoding at that of its bandwidths with which it is predicted to paint the held-out pixels best."""
        ladder = LADDERS[name]
        tried = [Candidate(name, b) for b in ladder if b <= max(self.task.shape) / 4]
        found = rungs(
            self.task, tried or [Candidate(name)], budget=self.budget, plan=self.plan,
            moments=[self.budget.steps],
        )  # fmt: skip
        best = max(found, key=lambda rung: rung.row.at(self.budget.steps).held_out)
        pictures = _pictures(self.task, best.field(self.budget.steps), f".{name}")
        self.best[name] = _Best(best.row, pictures)
        return self.best[name]

    def candidate(self, network: str) -> Candidate:
        """What is trained under a name."""
        if network != "mlp":
            return usual_of(network, self.task)
        return (self.best.get("gaussian") or self.compute("gaussian")).row.candidate


def _table(desk: Desk, values: Mapping[str, Any]) -> _Table:
    steps = round(number(values, "steps", 20, 2000))
    features = round(number(values, "features", 8, 2048))
    task = desk.picture
    plan = NetworkPlan(
        task.in_dim, task.n_outputs, width=task.width, depth=task.depth, n_frequencies=features // 2
    )
    budget = Budget("adam", _RATE, steps, _BATCH)
    tables: Drawer[tuple[int, int], _Table] = desk.drawer("encodings", _KEPT)
    return tables.kept((steps, features), lambda: _Table(task, budget, plan))


def kernels(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """What the kernel predicts of each encoding, as it becomes known."""
    table = _table(desk, values)
    for name in LADDERS:
        if name not in table.best:
            table.compute(name)
            yield _predicted(table)
    yield _predicted(table)


def _predicted(table: _Table) -> Reply:
    steps, rows, arrays = table.budget.steps, [], {}
    for name, best in table.best.items():
        said = best.row.at(steps)
        rows.append({
            "name": name,
            "bandwidth": best.row.candidate.bandwidth,
            "held_out": said.held_out,
            "train": said.train,
        })
        arrays |= best.pictures
    content = {"rows": rows, "steps": steps, "known": len(rows), "all": len(LADDERS)}
    return Reply(content, arrays)


def network(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """Train a network for as many steps, and show it some times on the way."""
    table, name = _table(desk, values), one_of(values, "name", NETWORKS)
    if name not in table.networks:
        candidate, shown, looked = table.candidate(name), None, 0
        for now in trained(table.task, candidate, budget=table.budget, plan=table.plan):
            if now.field is not shown:
                shown, looked = now.field, now.step
            if now.step == table.budget.steps:
                table.networks[name] = candidate, now
            elif now.step == 1 or now.step % _TOLD == 0:
                yield _trained(table, name, candidate, now, looked)
    candidate, last = table.networks[name]
    yield _trained(table, name, candidate, last, last.step)


def _trained(table: _Table, name: str, candidate: Candidate, now: Trained, looked: int) -> Reply:
    content: dict[str, Any] = {
        "name": name,
        "bandwidth": candidate.bandwidth,
        "width": table.plan.width_of(candidate),
        "step": now.step,
        "steps": table.budget.steps,
    }
    if now.field is None:
        return Reply(content)
    content |= {"held_out": now.held_out, "train": now.train, "seen": looked}
    return Reply(content, _pictures(table.task, now.field, ""))


def _pictures(task: Image, found: Tensor, suffix: str) -> dict[str, Any]:
    """A picture and its error."""
    error = with_error([("picture", task.values), ("prediction", found)])[-1][1]
    return {f"picture{suffix}": rgba(found), f"error{suffix}": rgba(error)}


ASKS: Mapping[str, Ask] = {
    "kernels": Ask(kernels, is_long=True),
    "network": Ask(network, is_long=True),
}
