"""The prediction of a kernel beside the training of the network itself."""

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ntkit import figures
from ntkit._core.checks import positive_int
from ntkit.dynamics.follow import descended, inputs_of, outputs_of, stepper_of
from ntkit.dynamics.lazy_probe import log_steps
from ntkit.dynamics.targets import fitting_targets
from ntkit.dynamics.training import AbstractTraining, OptimiserFactory
from ntkit.grids import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """Loss curves of a network in training and of its prediction.

    Attributes:
        steps: `[s]`, rising, from 0.
        predicted: `[s]`, `1/2 * sum w (f - y)^2` of the prediction on the training points.
        trained: `[s]`, that of the network.
        distance: `[s]`, between network and prediction over validation points (training points where
            there are none), relative to how far the prediction has moved: `|f - p| / |p - p_0|`.
        validation_predicted: `[s]`, mean squared error on validation points; NaN without.
        validation_trained: `[s]`, that of the network.
        network: The trained network.

    Example:
        >>> import torch
        >>> steps, loss = torch.tensor([0, 10]), torch.tensor([1.0, 0.5])
        >>> nothing = torch.full((2,), torch.nan)
        >>> found = Comparison(steps, loss, loss, 0 * loss, nothing, nothing, torch.nn.Identity())
        >>> float(found.distance.max())
        0.0
    """

    steps: Int[Tensor, " s"]
    predicted: Float[Tensor, " s"]
    trained: Float[Tensor, " s"]
    distance: Float[Tensor, " s"]
    validation_predicted: Float[Tensor, " s"]
    validation_trained: Float[Tensor, " s"]
    network: nn.Module

    def figure(self) -> "Figure":
        """Both curves over steps, and the distance; needs matplotlib."""
        pairs = [
            ("Training loss", self.predicted, self.trained),
            ("Validation error", self.validation_predicted, self.validation_trained),
        ]
        return figures.comparison_figure(self.steps, pairs, self.distance)


def compare(
    module: nn.Module,
    training: AbstractTraining,
    optimiser: OptimiserFactory | None = None,
    *,
    steps: int,
    validation: tuple[Grid | Tensor, Tensor] | None = None,
    per_decade: int = 10,
) -> Comparison:
    """Train a copy of `module` on the data of `training`, and hold the prediction beside it.

    Args:
        module: The network, whose start the prediction should have as `f0`; left as it is.
        training: The prediction: `GradientFlow`, `GradientDescent`, `Momentum`, ...
        optimiser: Makes the optimiser of the parameters, for the loss `1/2 * sum w (f - y)^2`: a
            function such as `lambda p: torch.optim.SGD(p, lr=0.1)`. If left out, that which the rule
            predicts; a flow has none, and takes the learning rate of yours as its step.
        steps: Steps to train.
        validation: Points and targets that are not trained on.
        per_decade: Steps to look at in each factor of ten.

    Returns:
        The curves; `.figure()` draws them.

    A rule without steps of its own is refused where the optimiser is left out.

    Source: Lee et al. 2019 (arXiv:1902.06720), section 3.2.

    Example:
        >>> import ntkit
        >>> g = torch.Generator().manual_seed(0)
        >>> net = ntkit.networks.mlp(ntkit.encodings.Basic(1), 1, width=256, depth=2, generator=g)
        >>> x = torch.rand(8, 1, generator=g)
        >>> y = torch.sin(6 * x)
        >>> rule = ntkit.GradientDescent(ntkit.empirical_ntk(net), x, y, lr=0.002, f0=net)
        >>> result = compare(net, rule, steps=50)
        >>> bool(result.distance[-1] < 0.2)
        True
    """
    make = stepper_of("compare", training, optimiser)
    network = deepcopy(module)
    parameters = [p for p in network.parameters() if p.requires_grad]
    stepper = make(parameters)
    lr = float(stepper.param_groups[0]["lr"])
    steps = positive_int("steps", steps)
    looked = log_steps(steps, per_decade=per_decade)
    points, targets = training.points, training.targets
    probe = points if validation is None else validation[0]
    x_probe = inputs_of(probe, parameters[0])
    n_outputs = targets.reshape(len(points), -1).shape[1]
    tail = training.targets_tail
    truth = None if validation is None else fitting_targets("validation[1]", *validation, tail)

    losses, outputs = [], []
    for step, loss in descended(network, training, stepper, steps=steps):
        if step in looked:
            with torch.no_grad():
                losses.append(loss)
                outputs.append(outputs_of(network, x_probe, n_outputs).double())
    times = [training.moment(step, lr) for step in looked]
    predictions = training.predict(probe, times).double().reshape(len(looked), len(x_probe), -1)
    reality = torch.stack(outputs)
    moved = (predictions - predictions[0]).flatten(1).norm(dim=1)
    nothing = torch.full((len(looked),), torch.nan, dtype=torch.float64)
    errors = [nothing, nothing]
    if truth is not None:
        errors = [(f - truth.to(f)).square().mean((1, 2)) for f in (predictions, reality)]
    return Comparison(
        steps=torch.tensor(looked),
        predicted=training.loss(times),
        trained=torch.tensor(losses, dtype=torch.float64),
        distance=(reality - predictions).flatten(1).norm(dim=1) / moved,
        validation_predicted=errors[0],
        validation_trained=errors[1],
        network=network,
    )
