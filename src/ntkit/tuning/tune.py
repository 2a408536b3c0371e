"""Which encoding, which bandwidth, for this task and this budget: asked of the kernel."""

from collections.abc import Callable, Sequence
from time import perf_counter

import torch
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget, Optimiser
from ntkit.tasks.samples import AbstractSamples
from ntkit.tasks.signal import Signal
from ntkit.tuning.candidates import COMPARED, candidates
from ntkit.tuning.choice import Goal, choose, flat_range, scores_of
from ntkit.tuning.optimisers import optimiser_of
from ntkit.tuning.optimisers.base import Engine
from ntkit.tuning.plan import NetworkFactory, NetworkPlan, check_sigmoid
from ntkit.tuning.question import Question, chosen_engine
from ntkit.tuning.result import TuneResult
from ntkit.tuning.stages import clock_of, curves_of, models_of, notes_of, table_of

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
    generator: torch.Generator | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> TuneResult:
    """Recommend an encoding and its bandwidth for fitting the field of a task with a ReLU network.

    The network trains on the task's training samples: every other one along each axis, unless the task says
    otherwise. Its quality on those samples and on the held-out rest is predicted, without training it, from the tangent kernel of each candidate:
    by gradient flow for SGD, by Adam's flow in function space (`ntkit.tuning.optimisers.adam_flow`) for Adam,
    whose clock is calibrated once by a short real run. For Adam, small scale models of the training
    (`ntkit.tuning.scale_model`) have a say in the choice between the bandwidths predicted best: half of it
    between four to generalise, three quarters of it between six to fit, of which the best three are
    modelled twice as often.

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
            models. Without, the choice is the kernel's alone.
        generator: Source of frequencies, weights and batches; a fixed seed if left out.
        on_progress: Called with a line of text at each stage.

    Raises:
        ValueError: An argument is out of range, and which.

    Where training diverges at this learning rate there is nothing to recommend: a `NumericalError`.

    Cost: O(n log n) a candidate and budget for n samples. The scale models of a bandwidth take about a
    thirtieth of the time of its training in full.

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
    if not isinstance(whole, AbstractSamples):
        raise ValueError(f"A {whole.kind} has no kernel to ask yet: pass `encoding` to `fit`.")
    if goal not in {"generalise", "fit"}:
        raise ValueError(f'`goal={goal!r}` must be "generalise" or "fit".')
    if sigmoid:
        check_sigmoid(whole)
    trains = optimiser_of(Budget(optimiser, lr, steps, batch_size))
    plan = NetworkPlan(
        in_dim=whole.in_dim,
        n_outputs=whole.n_outputs,
        width=positive_int("width", width),
        depth=positive_int("depth", depth),
        n_frequencies=positive_int("n_frequencies", n_frequencies),
        seed=_seed(generator),
        sigmoid=sigmoid,
        factory=network,
    )
    tried = tuple(candidates(whole, encodings, bandwidths))
    chosen, why = chosen_engine(engine, trains, whole)
    say = on_progress or (lambda _: None)
    question = Question(whole, goal, trains, plan, tried, chosen, pilot, say)
    problems = [question.problem(candidate) for candidate in tried]
    clock = clock_of(question, problems)
    speed = clock.speed if clock else 1.0
    table = table_of(question, problems, speed)
    models = models_of(question, table)
    scores = scores_of(table, models, goal, trains.budget.steps)
    choice = choose(scores)
    return TuneResult(
        choice=choice,
        encoding=plan.build(choice)[1],
        bandwidth=choice.bandwidth,
        flat_range=flat_range(scores),
        table=table,
        goal=goal,
        budget=trains.budget,
        steps=question.moments,
        engine=f"{chosen} ({why})",
        clock=clock,
        models=models,
        baseline=whole.baseline(),
        notes=notes_of(question, problems, choice),
        curves=curves_of(question, problems, choice, speed),
        plan=plan,
        code=f"encoding = {choice.code(whole.in_dim, plan.n_frequencies)}",
        seconds=perf_counter() - start,
    )


def _seed(generator: torch.Generator | None) -> int:
    """One seed for every candidate, so that they differ in their bandwidth alone."""
    if generator is None:
        return 0
    return int(torch.randint(2**31, (1,), generator=generator))
