"""Intervals of Gaussian-process posteriors on real data: how often they hold what was left out.

The kernels of a three-layer ReLU network with biases, its NNGP and its NTK, times a size; size and noise
are learned by the marginal likelihood on the training half. Diabetes (442 patients of scikit-learn, ten
features) goes in as it is, 400 places of the elevation map of matplotlib and 400 moments of the
electrocardiogram of PyWavelets through Gaussian Fourier features (bandwidth 1.5 and 25). Ten splits in
halves each; "holds" is the share of left-out targets within the central interval of the predictive
distribution (posterior and noise), which is asked to be within 0.05 of its level at 90 % on the first
two. The electrocardiogram, flat with spikes, is no draw of any such process: its intervals are too wide
where it is flat, and it stands here to show that calibration is the model's, not the method's.
"""

import torch
from sklearn.datasets import load_diabetes
from torch import Tensor, nn

import ntkit
from benchmarks.report import Row
from benchmarks.signals import load_all
from ntkit.dynamics import GaussianProcess, Normal
from ntkit.networks import Linear

SPLITS, LEVELS = 10, (0.5, 0.9, 0.95)


def network(*first: nn.Module, inputs: int) -> nn.Module:
    layers: list[nn.Module] = [*first]
    for fan_in in (inputs, 8, 8):
        layers += [Linear(fan_in, 8, w_std=2**0.5, b_std=0.3), nn.ReLU()]
    return nn.Sequential(*layers, Linear(8, 1, b_std=0.3))


def places(name: str, count: int, bandwidth: float) -> tuple[Tensor, Tensor, nn.Module]:
    """Places of a signal drawn at random, what is there, and a network of coordinates."""
    signal = load_all([name])[name]
    generator = torch.Generator().manual_seed(0)
    index = torch.randperm(signal.values[..., 0].numel(), generator=generator)[:count]
    values = signal.values[..., 0].flatten()[index].double()
    encoding = ntkit.encodings.Gaussian(len(signal.shape), 256, bandwidth, generator)
    return ntkit.Grid(signal.shape).points()[index], values, network(encoding, inputs=512)


def data() -> dict[str, tuple[Tensor, Tensor, nn.Module]]:
    """Points, targets and a network by name."""
    x, y = load_diabetes(return_X_y=True)
    x, y = torch.from_numpy(x).double(), torch.from_numpy(y).double()
    return {
        "diabetes": (x / x.std(0), y, network(inputs=x.shape[1])),
        "elevation": places("elevation", 400, 1.5),
        "electrocardiogram": places("ecg", 400, 25.0),
    }


def held(make: type, x: Tensor, y: Tensor, net: nn.Module) -> Tensor:
    """The share of left-out targets within the intervals of each level."""
    kernel = make(net)
    found = torch.zeros(len(LEVELS), dtype=torch.float64)
    for split in range(SPLITS):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(split))
        train, rest = order[: len(x) // 2], order[len(x) // 2 :]
        mean, spread = y[train].mean(), y[train].std()
        target = (y - mean) / spread
        size, noise = (torch.tensor(v, requires_grad=True) for v in (0.3, 0.3))
        process = GaussianProcess(size * kernel, x[train], target[train], noise=noise)
        process.fit([size, noise])
        posterior = process.predict(x[rest])
        eye = torch.eye(len(rest), dtype=posterior.covariance.dtype)
        predictive = Normal(posterior.mean, posterior.covariance + noise.item() * eye)
        for k, level in enumerate(LEVELS):
            low, high = predictive.interval(level)
            found[k] += ((low < target[rest]) & (target[rest] < high)).double().mean()
    return found / SPLITS


def measure() -> list[Row]:
    rows = []
    for name, (x, y, net) in data().items():
        for which, make in (("NNGP", ntkit.nngp), ("NTK", ntkit.ntk)):
            for level, share in zip(LEVELS, held(make, x, y, net), strict=True):
                is_asked = level == 0.9 and name != "electrocardiogram"
                asked = (0.85, 0.95) if is_asked else (None, None)
                what = f"{name}, {which}: the interval of {level:.0%} holds"
                rows.append(Row(what, float(share), at_least=asked[0], at_most=asked[1]))
    return rows
