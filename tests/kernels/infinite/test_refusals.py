"""What is refused, or warned of: each names the node, its line, the reason and the way out."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from ntkit import encodings, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.networks import Linear, mlp
from tests.cases import randn
from tests.ordinary_networks import W, hidden, relu, written

HERE = r'.*File ".*test_refusals.py", line \d+: `.*`\): '


def batch_of(*layers: nn.Module, shape: tuple[int, ...]):
    return nn.Sequential(*layers), randn(2, *shape)


REFUSED = {
    "two post-activation blocks": (
        hidden(3, W, W),
        lambda s, x: s.o((lambda h: relu(h + s.c(h)))(relu(relu(s.a(x)) + s.b(relu(s.a2(x)))))),
        "acts on units that are not Gaussian.*pre-activation, or a projection in the shortcut",
    ),
    "maximum": (
        hidden(3),
        lambda s, x: s.o(functional.max_pool1d(s.a(x)[:, None], 1)[:, 0]),
        "max pooling has no exact limit. Use average pooling",
    ),
    "softmax": (hidden(3), lambda s, x: s.o(s.a(x).softmax(-1)), "Leave it to the loss"),
    "a layer called twice": (
        hidden(3),
        lambda s, x: s.o(s.a(x) + relu(s.a(x))),
        "called more than once.*Give each call a layer of its own",
    ),
    "scores": (
        hidden(3),
        lambda s, x: s.o((lambda h: h @ (h.mT @ h))(s.a(x)[:, None])[:, 0]),
        "a product of units with units.*Use `ntkit.networks.SelfAttention`",
    ),
    "a weight in two places": (
        hidden(3),
        lambda s, x: s.o(relu(s.a(x)) + s.a.bias),
        "the parameter `a.bias` acts in two places.*a parameter of its own",
    ),
    "a dict": (
        hidden(3),
        lambda s, x: {"y": s.o(relu(s.a(x)))},
        "returns a dict. Return a tensor, or a tuple of tensors",
    ),
    "mean of the batch": (hidden(3), lambda s, x: s.o(relu(s.a(x) - s.a2(x).mean(0))), "positions"),
    "a stack of points": (
        hidden(3, 3),
        lambda s, x: s.o(torch.stack([s.a(x), s.b(x)]).mean(0)),
        r"a stack of points \(axis 0\) has no rule. Stack along 1 or a later axis",
    ),
    "a ratio": (hidden(3, 3), lambda s, x: s.o(s.a(x) / s.b(x)), "a quotient by random units"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_limit_is_refused_at_its_line(name: str) -> None:
    layers, forward, why = REFUSED[name]
    net = written(layers(8, 1) | {"a2": nn.Linear(3, 8)}, forward).double()
    place = "" if name == "a dict" else HERE
    with pytest.raises(UnsupportedLayerError, match=f"(?s)At .*{place}.*{why}"):
        ntk(net)(randn(2, 3))


def test_branches_on_data_name_the_line() -> None:
    def forward(s, x):
        if x.sum() > 0:
            return s.o(s.a(x))
        return s.o(-s.a(x))

    with pytest.raises(
        UnsupportedLayerError, match=r"test_refusals.py\", line \d+: `if x.sum\(\) > 0:`"
    ):
        ntk(written(hidden(3)(8, 1), forward))


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ([nn.LSTM(3, 4)], "recurrent weights.*Take the empirical kernel"),
        ([nn.Linear(3, 4), nn.InstanceNorm1d(4)], "Use `nn.GroupNorm`"),
        ([nn.Embedding(3, 4), nn.Linear(4, 1)], "Pass one-hot vectors through"),
        ([nn.Linear(3, 4), nn.BatchNorm1d(4)], r"in training mode couples.*Call `module.eval\(\)`"),
        ([nn.Linear(3, 4), nn.Softmax(-1)], "Leave it to the loss"),
        (
            [nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))],
            "subclass of Linear, whose infinite-width rule need not hold",
        ),
        (
            [nn.utils.spectral_norm(nn.Linear(3, 4))],
            "has forward hooks.*Remove them",
        ),
    ],
)
def test_layers_that_are_refused(layers: list[nn.Module], match: str) -> None:
    with pytest.raises(UnsupportedLayerError, match=f"At `.*{match}"):
        ntk(nn.Sequential(*layers))


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: nn.Sequential(nn.LazyLinear(3)), ValueError, "of a lazy layer has no size yet"),
        (lambda: nn.Linear(3, 1).to(torch.complex64), TypeError, "`weight` is complex"),
        (
            lambda: torch.jit.trace(nn.Linear(3, 1), torch.zeros(1, 3)),
            TypeError,
            "compiled to TorchScript.*Pass the module that it was made from",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_modules_that_cannot_be_read(make, error, match: str) -> None:
    with pytest.raises(error, match=match):
        ntk(make())


@pytest.mark.parametrize(
    ("points", "error", "match"),
    [
        (torch.zeros(3, 2, dtype=torch.float16), TypeError, "`x1` must be float32 or float64"),
        (torch.zeros(3, 2, dtype=torch.complex64), TypeError, "`x1` is complex, and must be real"),
        (torch.zeros(0, 2), ValueError, r"`x1` is empty: shape \(0, 2\)"),
        (torch.tensor(0.0), ValueError, r"at least 2 axes, got shape \(\)"),
        (torch.zeros(3, 2, device="meta"), ValueError, "meta device, which holds no values"),
    ],
)
def test_points_that_are_refused(unchecked, points, error, match: str) -> None:
    with pytest.raises(error, match=match):
        ntk(mlp(encodings.Identity(2), 1, width=8))(points)


def test_points_that_disagree() -> None:
    net = mlp(encodings.Identity(2), 1, width=8)
    with pytest.raises(ValueError, match=r"`x2` has points of shape \(3,\), and `x1` of \(2,\)"):
        ntk(net)(torch.zeros(2, 2), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"`x2` is torch.float64, and `x1` torch.float32. Convert"):
        ntk(net)(torch.zeros(2, 2), torch.zeros(2, 2).double())
    with pytest.raises(ValueError, match=r"`x1` is on cpu and the network on meta. Move one"):
        ntk(copy.deepcopy(net).to("meta"))(torch.zeros(2, 2))


def test_points_without_a_batch_axis() -> None:
    """Torch would take `[n, length]` for one unbatched image of n channels."""
    net = nn.Sequential(nn.Conv1d(2, 4, 1), nn.ReLU())
    with pytest.raises(UnsupportedLayerError, match="the first axis does not hold the points"):
        ntk(net)(randn(5, 7).float())


def test_dropout_in_training_mode_says_what_it_gets() -> None:
    net = nn.Sequential(Linear(2, 8), nn.ReLU(), nn.Dropout(0.5), Linear(8, 1))
    with pytest.warns(
        UserWarning, match=r"drawn anew for each input.*call `module.eval\(\)` first"
    ):
        ntk(net)(randn(3, 2).float())


def test_dropout_as_a_function_is_on_unless_told() -> None:
    net = written(hidden(3)(8, 1), lambda s, x: s.o(functional.dropout(relu(s.a(x))))).eval()
    with pytest.warns(UserWarning, match="pass `training=self.training`"):
        ntk(net)(randn(3, 3).float())


@pytest.mark.parametrize(
    "spoil",
    [functional.dropout, lambda x: x + torch.randn_like(x), lambda x: x * x.new(1).uniform_()],
)
def test_inputs_that_hang_on_chance(spoil) -> None:
    net = written(hidden(3)(8, 1), lambda s, x: s.o(relu(s.a(spoil(x)))))
    with pytest.raises(UnsupportedLayerError, match="draws features anew at every call"):
        ntk(net)(randn(3, 3).float())


def test_copies_of_one_layer_are_pointed_out() -> None:
    block = nn.Linear(8, 8)
    net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), block, nn.ReLU(), copy.deepcopy(block))
    with pytest.warns(UserWarning, match="`2.weight` and `4.weight` hold the same numbers"):
        ntk(net)(randn(3, 2).float())


@pytest.mark.parametrize(("w_std", "what"), [(4.0, "grows"), (0.3, "shrinks")])
def test_variances_that_explode_or_vanish(w_std: float, what: str) -> None:
    layers = [part for _ in range(20) for part in (Linear(16, 16, False, w_std=w_std), nn.ReLU())]
    with pytest.warns(UserWarning, match=f"{what} to .* at layer .* of 20.*The usual cure is"):
        ntk(nn.Sequential(*layers))(randn(3, 16).float())


@pytest.mark.parametrize("make", [lambda: Linear(64, 64, w_std=2**0.5), lambda: nn.Linear(64, 64)])
@pytest.mark.parametrize("depth", [3, 8])
def test_ordinary_depths_are_not_warned_of(make, depth: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ntk(nn.Sequential(*[p for _ in range(depth) for p in (make(), nn.ReLU())]))(
            randn(3, 64).float()
        )
