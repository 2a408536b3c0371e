"""Which network, encoding and bandwidth, for this task and this budget: asked of the kernel and of scale models."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TypeGuard

import torch
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget, Optimiser
from ntkit.tasks.samples import AbstractSamples
from ntkit.tasks.signal import Signal
from ntkit.tuning.answer import KernelAnswer, answered, has_kernel
from ntkit.tuning.candidates import COMPARED, MLP, Candidate, candidates
from ntkit.tuning.choice import Goal
from ntkit.tuning.families import Equal, FamilyComparison, compared
from ntkit.tuning.family_notes import notes_on
from ntkit.tuning.ladders import asked_families, usual_of
from ntkit.tuning.optimisers import optimiser_of
from ntkit.tuning.optimisers.base import Engine
from ntkit.tuning.plan import NetworkFactory, NetworkPlan, check_sigmoid, plan_seed
from ntkit.tuning.predict import Prediction
from ntkit.tuning.question import Question, chosen_engine
from ntkit.tuning.result import TuneResult
from ntkit.tuning.run_off import RunOff, trained_briefly

__all__ = ["tune"]


def tune(
    task: Tensor | AbstractTask,
    *,
    goal: Goal = "generalise",
    optimiser: Optimiser = "adam",
    lr: float = 1e-3,
    steps: int = 2000,
    batch_size: int = 4096,
    encodings: Sequence[str] = COMPARED,
    bandwidths: Sequence[float] | None = None,
    width: int = 256,
    depth: int = 4,
    n_frequencies: int = 256,
    sigmoid: bool = False,
    network: NetworkFactory | None = None,
    engine: Engine = "auto",
    pilot: bool = True,
    families: Sequence[str] | None = None,
    equal: Equal = "steps",
    run_off: RunOff | None = trained_briefly,
    generator: torch.Generator | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> TuneResult:
    """Recommend a network, its encoding and its bandwidth for fitting the field of a task.

    The network trains on the task's training samples: every other one along each axis, unless the task says
    otherwise. Its quality on those samples and on the held-out rest is predicted, without training it, from the tangent kernel of each candidate:
    by gradient flow for SGD, by Adam's flow in function space (`ntkit.tuning.optimisers.adam_flow`) for Adam,
    whose clock is calibrated once by a short real run. For Adam, small scale models of the training
    (`ntkit.tuning.scale_model`) have three quarters of the say in the choice between the five bandwidths predicted best.

    Other families of networks are compared with the best ReLU network so found by scale models of the same steps
    (`ntkit.tuning.families`). Tasks without a kernel (shapes, radiance fields) are asked by scale models alone. If models
    set the two best families less than two standard errors apart, a run-off decides: each is trained for real, for an
    eighth of the steps.

    Args:
        task: `[*shape]` or `[*shape, channels]`, peak-to-peak of about 1; or a task of `ntkit.tasks`.
        goal: "generalise" for quality on the samples held out, "fit" for the training samples.
        optimiser: "adam" or "sgd".
        lr: Learning rate.
        steps: Number of steps.
        batch_size: Samples a step.
        encodings: Which to compare: "identity", "basic", "positional", "nerf", "gaussian"; all
            but "nerf" if left out.
        bandwidths: Standard deviations of Gaussian frequencies to try, cycles per unit; a ladder
            from 1 to an eighth of the samples along an axis if left out.
        width: Units of each hidden layer.
        depth: Hidden layers.
        n_frequencies: Frequencies of an encoding (two features each).
        sigmoid: Whether a sigmoid stands behind the read-out of what is trained; kernels leave it out.
        network: Makes a network of one's own on an encoding, in place of the ReLU network of `width` and
            `depth`; its kernel of infinite width must have rules. Scale models are not made of it.
        engine: "periodic" rounds frequencies to whole cycles and drops the last sample of odd
            axes, which makes training diagonal under one FFT; "exact" does neither; "auto" is
            exact for SGD up to 512 x 512 training samples and periodic otherwise. Samples that are no
            sub-grid are taken as they are, on tiles.
        pilot: Whether to train for the choice with Adam: a short real run for its clock, and scale
            models. Without, the choice is the kernel's alone, of ReLU networks.
        families: Which families of networks to compare: "mlp" (ReLU networks on any of `encodings`), "siren", "finer",
            "wire", "hash". All of them if left out, where scale models may be trained; else "mlp".
        equal: What families are compared with as much of: "steps", those of the budget, or "time", that which a
            ReLU network takes for the budget. Both are told.
        run_off: What trains the two families of a run-off, for whoever keeps such trainings; None for no run-off.
        generator: Source of frequencies, weights and batches; a fixed seed if left out.
        on_progress: Called with a line of text at each stage.

    An argument out of range is a `ValueError`, and a `run_off` that trains nothing a `TypeError`. Where
    training diverges at this learning rate there is nothing to recommend: a `NumericalError`.

    Cost: O(n log n) a candidate and budget for n samples. The scale models of a bandwidth take about a
    thirtieth of the time of its training in full, those of all families about half of one training, and a run-off, where
    there is one, a quarter.

    Example:
        >>> x = torch.linspace(0, 1, 257)[:-1]
        >>> signal = 0.5 + 0.4 * torch.sin(2 * torch.pi * (4 * x + 12 * x**2))
        >>> result = tune(signal, steps=200, bandwidths=[1, 4, 16, 64], pilot=False)
        >>> result.choice.name, result.bandwidth
        ('gaussian', 4.0)
        >>> [str(row.candidate) for row in result.table][:3]
        ['identity', 'basic', 'positional 64']
    """
    start = perf_counter()
    whole = task if isinstance(task, AbstractTask) else Signal(task)
    _check_choices(goal, equal, run_off)
    if sigmoid:
        check_sigmoid(whole)
    budget = Budget(optimiser, lr, steps, batch_size)
    plan = NetworkPlan(
        in_dim=whole.in_dim,
        n_outputs=whole.n_outputs,
        width=positive_int("width", width),
        depth=positive_int("depth", depth),
        n_frequencies=positive_int("n_frequencies", n_frequencies),
        seed=plan_seed(generator),
        sigmoid=sigmoid,
        factory=network,
    )
    may_try = pilot and not optimiser_of(budget).follows_kernel and network is None
    names = asked_families(families, whole, may_try=may_try)
    tried = tuple(candidates(whole, encodings, bandwidths))
    say = on_progress or (lambda _: None)
    answer = KernelAnswer()
    if _has_kernel(whole, names, engine):
        answer = _by_kernel(whole, goal, budget, plan, tried, engine, pilot, say)
    relu = [answer.choice] if answer.choice else tried
    models = FamilyComparison()
    if may_try and (answer.choice is None or len(names) > 1):
        asked = (whole, goal, budget, plan, relu, names)
        known = answer.predicted(steps)
        models = compared(*asked, equal=equal, predicted=known, run_off=run_off, say=say)
    unknown = usual_of(next(iter(names)), whole)
    rows, table = models.families, answer.table or models.table
    choice = next((row.candidate for row in rows), answer.choice or unknown)
    notes = notes_on(rows, names, whole.metric, knows=answer.choice is not None, goal=goal)
    return TuneResult(
        choice=choice,
        bandwidth=choice.bandwidth,
        flat_range=(answer.flat_range or models.flat_range) if choice.family == MLP else None,
        table=table,
        goal=goal,
        budget=budget,
        steps=tuple(p.steps for p in table[0].predictions) if table else (budget.steps,),
        engine=answer.engine,
        clock=answer.clock,
        models=answer.models,
        baseline=whole.baseline(),
        notes=(*answer.notes, *notes),
        curves={**_curves(models), **answer.curves},
        plan=plan,
        code=plan.code(choice),
        seconds=perf_counter() - start,
        families=rows,
        equal=equal,
        by_models=bool(models.table),
    )


def _check_choices(goal: str, equal: str, run_off: object) -> None:
    """Refuse what is no choice, before any work.

    Raises:
        ValueError: The goal, or what is to be equal, is none that there is.
        TypeError: The run-off trains nothing.
    """
    if goal not in {"generalise", "fit"}:
        raise ValueError(f'`goal={goal!r}` must be "generalise" or "fit".')
    if equal not in {"steps", "time"}:
        raise ValueError(f'`equal={equal!r}` must be "steps" or "time".')
    if run_off is not None and not callable(run_off):
        raise TypeError(
            f"`run_off={run_off!r}` must be what trains a network, as `ntkit.tuning.trained_briefly`, or None for no run-off."
        )


def _has_kernel(
    task: AbstractTask, names: Sequence[str], engine: str
) -> TypeGuard[AbstractSamples]:
    """Whether a kernel is asked.

    Raises:
        ValueError: There is none, and an engine that would solve it.
    """
    if MLP in names and has_kernel(task):
        return True
    if engine != "auto":
        raise ValueError(
            f"`engine={engine!r}` solves the kernel of ReLU networks, and none is asked here: a {task.kind} by "
            f'{", ".join(names)}. Leave `engine="auto"`.'
        )
    return False


def _by_kernel(
    task: AbstractSamples,
    goal: Goal,
    budget: Budget,
    plan: NetworkPlan,
    tried: tuple[Candidate, ...],
    engine: str,
    pilot: bool,
    say: Callable[[str], None],
) -> KernelAnswer:
    """What kernels say of ReLU networks on the encodings, by the engine asked for or the one that suits."""
    trains = optimiser_of(budget)
    chosen, why = chosen_engine(engine, trains, task)
    return answered(Question(task, goal, trains, plan, tried, chosen, pilot, say), why)


def _curves(models: FamilyComparison) -> dict[str, tuple[Prediction, ...]]:
    """What scale models say of bare coordinates, and of the family that is recommended."""
    told = {str(r.candidate): r.predictions for r in models.table if r.candidate.name == "identity"}
    return told | {str(row.candidate): row.curve for row in models.families[:1]}
