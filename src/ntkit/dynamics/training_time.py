"""From a learning rate and a number of steps to gradient-flow time."""

from torch import nn

from ntkit._core.checks import non_negative, positive, positive_int

__all__ = ["training_time"]


def training_time(
    lr: float,
    steps: float,
    loss: nn.Module | None = None,
    *,
    n_samples: int | None = None,
    n_outputs: int = 1,
) -> float:
    """Gradient-flow time `t` of plain gradient descent, for the loss `1/2 * sum (f - y)^2`.

    `t = lr * steps` for that loss itself; a mean of squares over `n_samples * n_outputs` terms has
    `2 / (n_samples * n_outputs)` times its gradient. Minibatches change nothing in expectation:
    `n_samples` is then the number of samples over which the loss of the whole set would be
    averaged.

    Args:
        lr: Learning rate of SGD without momentum.
        steps: Number of steps.
        loss: `nn.MSELoss()` with any reduction; None for `1/2 * sum`.
        n_samples: Training samples, needed for `reduction="mean"`.
        n_outputs: Outputs of the network, for `reduction="mean"`.

    Returns:
        `t`, in the unit of one over the kernel's eigenvalues.

    Raises:
        TypeError: `loss` is not `nn.MSELoss`.
        ValueError: `reduction="mean"` without `n_samples`.

    Example:
        >>> training_time(0.5, 10)
        5.0
        >>> training_time(0.5, 10, nn.MSELoss(), n_samples=100, n_outputs=1)
        0.1
    """
    t = positive("lr", lr) * non_negative("steps", steps)
    if loss is None:
        return t
    if type(loss) is not nn.MSELoss:
        raise TypeError(
            f"`loss={loss}`: only `nn.MSELoss` has a gradient-flow time in closed form. "
            "Pass it, or None for 1/2 * sum of squares."
        )
    if loss.reduction != "mean":
        return 2 * t
    if n_samples is None:
        raise ValueError('`training_time(loss=nn.MSELoss(reduction="mean"))` needs `n_samples=`.')
    terms = positive_int("n_samples", n_samples) * positive_int("n_outputs", n_outputs)
    return t * 2 / terms
