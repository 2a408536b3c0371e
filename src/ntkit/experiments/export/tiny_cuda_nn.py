"""tiny-cuda-nn's JSON: the encoding and the network that a run chose, to be trained there."""

import json
from itertools import pairwise
from math import ceil
from typing import Any

from torch import nn

from ntkit.encodings import AbstractEncoding, Centred, Identity, to_config
from ntkit.experiments.export.exported_network import ExportedNetwork
from ntkit.networks import Linear, Sine
from ntkit.networks.symmetrise import Symmetrised
from ntkit.tasks import JOBS, AbstractTask, Budget

__all__ = ["tiny_cuda_nn_file"]

_FUSED_WIDTHS = (16, 32, 64, 128)
"""Of tiny-cuda-nn's FullyFusedMLP, by its documentation."""

_FUSED = ("ReLU", "LeakyReLU", "Sigmoid", "Softplus", "Tanh")
"""Activations of its FullyFusedMLP; CutlassMLP has Sine and SiLU as well."""

_OTHERWISE = "Pass `--format onnx` or `--format torch`, which take other networks too"
_OPTIMISERS = {"adam": "Adam", "sgd": "SGD"}
_PLAIN = ("predict", "loss", "training_loss")
"""What a job has of `AbstractTask` where it is the mean square error of values."""

_THEIR_OMEGA, _THEIR_MULTIPLE = 30.0, 16
"""Of their first sine layer: weights `U(-30 / n, 30 / n)`, `n` the inputs, padded with ones to a multiple of 16."""


def tiny_cuda_nn_file(subject: ExportedNetwork) -> tuple[bytes, list[str]]:
    """The JSON of tiny-cuda-nn's loss, optimiser, encoding and network, and notes.

    Not the weights: its networks have no biases, compute in 16 bits and lay tables of grids out otherwise,
    so that no file of theirs would be the network that was trained here.

    Source: tiny-cuda-nn's DOCUMENTATION.md, `network.cu` and `fully_fused_mlp.cu`, as of April 2026.
    """
    encoding, layers = _split(subject.network, subject.in_dim)
    network = _network(layers)
    config: dict[str, Any] = {
        "loss": {"otype": "L2"},
        "optimizer": _optimiser(subject.budget),
        "encoding": _encoding(encoding, layers),
        "network": network,
        "ntkit": {
            "n_input_dims": subject.in_dim,
            "n_output_dims": subject.out_dim,
            "batch_size": subject.budget.batch_size,
            "steps": subject.budget.steps,
            "falling": subject.budget.falling,
            **subject.meaning(),
        },
    }
    notes = [
        "a configuration to train from, without weights: tiny-cuda-nn's networks have no biases, and "
        "its tables another layout",
        "its optimisers keep no average of the weights unless they are nested in one that does",
    ]
    if subject.budget.falling:
        notes.append(
            f"the rate fell evenly to 0 over the last {subject.budget.falling:.0%} of the steps, for which its optimisers "
            "have no word: set it from outside"
        )
    if network["activation"] == "Sine":
        notes.append(
            "its sines begin with an omega_0 of 30 over the padded number of inputs; of a SIREN the scale "
            "of the points makes up for it, so that the bandwidth is the same"
        )
    if not _is_plain(subject.domain.kind):
        del config["loss"]
        notes.append(f"the loss of a {subject.domain.kind} it has not: that is yours to write")
    return (json.dumps(config, indent=2) + "\n").encode(), notes


def _split(network: nn.Module, in_dim: int) -> tuple[AbstractEncoding, list[nn.Module]]:
    """The encoding, and the layers after it.

    Raises:
        ValueError: The network is no sequence of layers.
    """
    if isinstance(network, Symmetrised):
        raise ValueError(
            "tiny-cuda-nn has no difference of two networks. Tune without `--symmetrise`, or: "
            f"{_OTHERWISE}."
        )
    if not isinstance(network, nn.Sequential):
        raise ValueError(
            f"`{type(network).__name__}` has no counterpart in tiny-cuda-nn, whose networks are sequences of "
            f"layers. {_OTHERWISE}."
        )
    layers = [
        layer for part in network for layer in (part if isinstance(part, nn.Sequential) else [part])
    ]
    if layers and isinstance(layers[0], AbstractEncoding):
        return layers[0], layers[1:]
    return Identity(in_dim), layers


def _encoding(encoding: AbstractEncoding, layers: list[nn.Module]) -> dict[str, Any]:
    """Its dictionary; in front of sines with points scaled so that the first layer has its bandwidth there too.

    Raises:
        ValueError: It has none.
    """
    try:
        config = to_config(encoding)
    except ValueError as error:
        raise ValueError(
            f"{error} Random and learned frequencies are not among them. {_OTHERWISE}, or fit again with `--encoding` "
            "hash, siren or nerf."
        ) from None
    first = layers[1] if len(layers) > 1 else None
    if isinstance(encoding, Centred) and isinstance(first, Sine):
        d = encoding.in_dim  # weights here are U(-1 / d, 1 / d), times the frequency
        padded = _THEIR_MULTIPLE * ceil(d / _THEIR_MULTIPLE)
        larger = (first.frequency / d) / (_THEIR_OMEGA / padded)
        config |= {"scale": 2 * larger, "offset": -larger}
    return config


def _network(layers: list[nn.Module]) -> dict[str, Any]:
    """The dictionary of linear layers with one activation between them.

    Raises:
        ValueError: There is none: other layers, several widths or several activations.
    """
    linear, between = layers[::2], layers[1::2]
    end = between.pop() if len(between) == len(linear) and between else None
    dense = [m for m in linear if isinstance(m, nn.Linear | Linear)]
    if len(dense) < max(2, len(linear)):
        strange = [m for m in linear if m not in dense]
        what = f"`{type(strange[0]).__name__}`" if strange else "A network without hidden layers"
        raise ValueError(
            f"{what} has no counterpart in tiny-cuda-nn, which has linear layers with activations "
            f"between them. {_OTHERWISE}."
        )
    widths = {a.out_features for a, _ in pairwise(dense)}
    names = {_activation(m) for m in between}
    if len(widths) > 1 or len(names) > 1:
        raise ValueError(
            f"tiny-cuda-nn has hidden layers of one width and one activation, got widths "
            f"{sorted(widths)} and {sorted(names)}. {_OTHERWISE}."
        )
    (width,), (name,) = widths, names
    fused = width in _FUSED_WIDTHS and name in _FUSED
    return {
        "otype": "FullyFusedMLP" if fused else "CutlassMLP",
        "activation": name,
        "output_activation": "None" if end is None else _activation(end),
        "n_neurons": width,
        "n_hidden_layers": len(dense) - 1,
    }


def _activation(layer: nn.Module) -> str:
    """Its name there.

    Raises:
        ValueError: It has none.
    """
    is_theirs = {
        nn.LeakyReLU: lambda m: m.negative_slope == 0.01,
        nn.Softplus: lambda m: m.beta == 10,
        Sine: lambda m: (m.phase, m.amplitude) == (0, 1),
    }.get(type(layer), lambda m: type(m) in {nn.ReLU, nn.SiLU, nn.Sigmoid, nn.Tanh})
    if not is_theirs(layer):
        raise ValueError(
            f"`{layer}` has no counterpart in tiny-cuda-nn. It has ReLU, LeakyReLU(0.01), SiLU, Sigmoid, "
            f"Softplus(beta=10), Tanh, and Sine without phase. {_OTHERWISE}."
        )
    return type(layer).__name__


def _is_plain(kind: str) -> bool:
    """Whether a job trains on the mean square error of the network's own values."""
    job = JOBS.get(kind)
    return job is None or all(getattr(job, n) is getattr(AbstractTask, n) for n in _PLAIN)


def _optimiser(budget: Budget) -> dict[str, Any]:
    """Its dictionary, with PyTorch's defaults."""
    found = {"otype": _OPTIMISERS[budget.optimiser], "learning_rate": budget.lr, "l2_reg": 0.0}
    if budget.optimiser == "adam":
        found |= {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    return found
