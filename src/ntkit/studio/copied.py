"""Lines to copy: the same in Python and on the command line."""

from shlex import quote

from ntkit.studio.shown import Shown
from ntkit.tasks import AbstractSamples
from ntkit.tuning import Candidate, NetworkPlan
from ntkit.tuning.choice import Goal
from ntkit.tuning.plan import plan_seed

__all__ = ["command_of", "plan_of", "python_of", "weights_program"]

_QUALITY = {"generalise": "held_out_quality", "fit": "train_quality"}


_SEED = 0  # of `ntkit tune`


def plan_of(task: AbstractSamples) -> NetworkPlan:
    """The network that is usual for the task, as the command line draws it."""
    return NetworkPlan(task.in_dim, task.n_outputs, task.width, task.depth, seed=plan_seed(_SEED))


def python_of(shown: Shown, choice: Candidate, goal: Goal, steps: int) -> str:
    """A program that trains the recommended network on the file, and asks for the recommendation again."""
    plan = plan_of(shown.whole)
    lines = (
        "import torch",
        "",
        "import ntkit",
        *shown.opening.python,
        "",
        plan.code(choice),
        f"fitted = ntkit.fit(task, encoding=encoding, hold_out=None, steps={steps})",
        f'print(f"{{fitted.{_QUALITY[goal]}:.1f}} dB")',
        "",
        "# How the encoding was found:",
        f"generator = torch.Generator().manual_seed({_SEED})",
        f'asked = {{"goal": "{goal}", "steps": {steps}, "families": ["mlp"]}}',
        "result = ntkit.tune(task, generator=generator, **asked)",
        "print(result.choice, result.flat_range)",
    )
    return "\n".join(lines) + "\n"


def weights_program(
    shown: Shown, choice: Candidate, goal: Goal, steps: int, weights: str | None
) -> str:
    """A program that makes the recommended network: of the weights of a file, if there is one, and else by training.

    Args:
        shown: What is looked at.
        choice: The encoding.
        goal: What counts.
        steps: Of the budget.
        weights: The name of the file.
    """
    plan = plan_of(shown.whole)
    if weights is None:
        return python_of(shown, choice, goal, steps)
    lines = (
        "import ntkit",
        *shown.opening.python[:1],
        "from ntkit.tasks import psnr",
        "from safetensors.torch import load_file",
        *shown.opening.python[1:],
        "",
        plan.code(choice),
        f"network = ntkit.networks.mlp(encoding, {plan.n_outputs}, width={plan.width}, depth={plan.depth})",
        "",
        "# The weights that the studio trained:",
        f"network.load_state_dict(load_file({weights!r}))",
        "seen, unseen = task.errors(task.shown(network))",
        'print(f"{psnr(seen):.2f} dB trained on, {psnr(unseen):.2f} dB held out")',
        "",
        "# Trained again, from another seed:",
        f"# fitted = ntkit.fit(task, encoding=encoding, hold_out=None, steps={steps})",
    )
    return "\n".join(lines) + "\n"


def command_of(shown: Shown, goal: Goal, steps: int) -> str:
    """The same by `ntkit tune`, which trains the network in the end."""
    opening = shown.opening
    name = f"./{opening.name}" if opening.name.startswith("-") else opening.name
    words = ["ntkit tune", quote(name), *opening.flags]
    words += [f"--goal {goal}", f"--budget {steps}", "--families mlp"]
    before = [f"python -c {quote(line)}" for line in opening.before]
    return "\n".join([*before, " ".join(words)]) + "\n"
