"""Gradients at a network's end, known without a backward pass, and what keeps them from being used."""

from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

import ntkit.kernels.empirical.network_runs
from ntkit.kernels import Contraction, Structured, empirical_ntk
from ntkit.kernels.empirical.output_gradients import Ending, ending
from tests.cases import randn
from tests.kernels.empirical import oracle
from tests.tolerances import assert_near


class Net(nn.Module):
    """Layers 3-5-4-2, with a forward of one's own."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.hidden, self.last = nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, 2)
        self.wide = nn.Parameter(torch.randn(2, 3))
        self._own = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._own(self, x)


def body(net: Any, x: Tensor) -> Tensor:
    return net.hidden(torch.tanh(net.first(x)))


def hooked(net: Any, x: Tensor) -> Tensor:
    a = torch.tanh(body(net, x))
    a.register_hook(lambda g: g * torch.tensor([1.0, 2.0, 3.0, 4.0]))
    return net.last(a)


def hooked_at_the_end(net: Any, x: Tensor) -> Tensor:
    y = net.last(torch.tanh(body(net, x)))
    y.register_hook(lambda g: 3 * g)
    return y


def past(net: Any, x: Tensor) -> Tensor:
    z = body(net, x)
    return net.last(torch.relu(z)) + z[:, :2]


def scaled(net: Any, x: Tensor) -> Tensor:
    """The last layer has no rule for its parameters, and its gradients are known all the same."""
    return torch.addmm(net.last.bias, body(net, x).exp(), net.last.weight.T, alpha=3)


def through_two_layers(net: Any, x: Tensor) -> Tensor:
    """The weight of the last layer is a product of parameters."""
    weight = net.wide.T @ net.wide @ torch.ones(3, 4).double()
    return torch.relu(body(net, x)) @ (weight.T @ net.wide.T)


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the nodes whose gradients the method knew."""
    found: set[str] = set()

    def noted(run: Any) -> Ending | None:
        end = ending(run)
        found.update(node.name() for node in end.fields) if end is not None else None
        return end

    monkeypatch.setattr(ntkit.kernels.empirical.network_runs, "ending", noted)
    return found


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many uses of parameters the method knew the gradients of, at the ends that it went by."""
    found: list[int] = []

    def noted(run: Any) -> Ending | None:
        end = ending(run)
        found.append(0 if end is None else sum(use.node in end.fields for use in run.uses))
        return end

    monkeypatch.setattr(ntkit.kernels.empirical.network_runs, "ending", noted)
    return found


def compared(net: nn.Module, x: Tensor) -> None:
    for outputs, expected in (("full", oracle.full(net, x)), ("trace", oracle.trace(net, x))):
        kernel = empirical_ntk(net, outputs, method=Structured())
        assert_near(kernel(x), expected)
        assert_near(kernel(x[:2], x[1:]), expected[:2, 1:])
    assert_near(empirical_ntk(net).diag(x), oracle.trace(net, x).diagonal())
    assert_near(empirical_ntk(net, 1)(x), oracle.full(net, x)[..., 1, 1])


@pytest.mark.parametrize(
    ("end", "layers"),
    [
        (lambda net, x: net.last(torch.relu(body(net, x))), 3),
        (lambda net, x: net.last(nn.functional.gelu(body(net, x))), 3),
        (lambda net, x: torch.sin(body(net, x)) @ net.last.weight.T, 3),
        (scaled, 2),
        (lambda net, x: net.last(nn.functional.relu_(body(net, x))), 3),
    ],
    ids=["relu", "gelu", "without a bias", "scaled", "in place"],
)
def test_it_is_used_and_right(
    end: Callable[[Any, Tensor], Tensor], layers: int, used: list[int]
) -> None:
    net, x = Net(end).double(), randn(5, 3)
    compared(net, x)
    assert set(used) == {layers}


@pytest.mark.parametrize(
    ("end", "layers"),
    [
        (lambda net, x: body(net, x)[:, :2] * 2, 0),
        (lambda net, x: net.last(torch.softmax(body(net, x), -1)), 1),
        (lambda net, x: net.last(torch.tanh(body(net, x))) ** 2, 0),
        (past, 1),
        (lambda net, x: net.last(torch.tanh(z := body(net, x)) * z + z), 3),
        (through_two_layers, 0),
    ],
    ids=[
        "no layer",
        "softmax",
        "a square behind",
        "a way past to some entries",
        "ways past",
        "a weight made of parameters",
    ],
)
def test_other_ends(end: Callable[[Any, Tensor], Tensor], layers: int, used: list[int]) -> None:
    """As far as they go."""
    compared(Net(end).double(), randn(5, 3))
    assert set(used) == ({layers} if layers else set())


@pytest.mark.parametrize("end", [hooked, hooked_at_the_end])
def test_gradient_hooks_of_the_user_are_not_passed_by(
    end: Callable[[Any, Tensor], Tensor], used: list[int]
) -> None:
    """Whatever they do to the kernel, both of its methods do alike."""
    net, x = Net(end).double(), randn(4, 3)
    hidden = ["hidden.weight"]
    found = empirical_ntk(net, "full", params=hidden, method=Structured())(x)
    assert_near(found, oracle.full(net, x, [net.hidden.weight]))
    if end is hooked_at_the_end:
        assert not used


class Scaled(Net):
    """With one point, the column has the shape of what it scales: the graph is read another way."""

    def __init__(self) -> None:
        super().__init__(lambda net, x: net.last(torch.tanh(body(net, x)) * net.column.T))
        self.column = nn.Parameter(torch.randn(4, 1))


@pytest.mark.parametrize("outputs", ["trace", "full", 1])
@pytest.mark.parametrize("memory", [1, 2**30])
def test_sides_that_are_known_to_different_depths(
    outputs: Literal["trace", "full"] | int, memory: int
) -> None:
    net, x = Scaled().double(), randn(5, 3)
    expected = oracle.full(net, x)
    if outputs != "full":
        own = expected.diagonal(dim1=2, dim2=3)
        expected = own.mean(-1) if outputs == "trace" else own[..., 1]
    kernel = empirical_ntk(net, outputs, method=Structured(memory=memory))
    assert_near(kernel(x, x[:1]), expected[:, :1])
    assert_near(kernel(x[:1], x), expected[:1])


def test_a_hook_that_is_set_after_a_call() -> None:
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))
    kernel, x = empirical_ntk(net.double(), params=["0.weight"], method=Structured()), randn(4, 3)
    kernel(x)
    net[3].register_forward_hook(lambda _, __, y: y.register_hook(lambda g: 2 * g) and None)
    assert_near(kernel(x), oracle.trace(net, x, [net.get_parameter("0.weight")]))


class Divided(Net):
    """By whole numbers, of which the first are powers of two."""

    def forward(self, x: Tensor, by: Tensor) -> Tensor:
        return self.last(body(self, x) / by[:, None])


def test_division_by_whole_numbers_keeps_its_digits() -> None:
    net, x = Divided(body).double(), (randn(8, 3), torch.tensor([1, 2, 4, 8, 16, 3, 7, 11]))
    found = empirical_ntk(net, params=["first.weight"], method=Structured())(x)
    other = empirical_ntk(net, params=["first.weight"], method=Contraction())(x)
    assert_near(found, other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [1e-4, 1.0, 100.0])
def test_half_precision(dtype: torch.dtype, size: float) -> None:
    """A norm with statistics in float32, and last weights whose squares leave the range of float16."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(8, 16),
        nn.Tanh(),
        nn.Linear(16, 16),
        nn.LayerNorm(16),
        nn.Tanh(),
        nn.Linear(16, 3),
    )
    with torch.no_grad():
        net.get_parameter("5.weight").normal_(0, size)
    net.to(dtype)[3].float()
    x = randn(4, 8).to(dtype)
    below = ["0.weight", "2.weight", "2.bias", "3.weight"]
    found = empirical_ntk(net, params=below, method=Structured())(x)
    expected = empirical_ntk(net, params=below, method=Contraction())(x)
    assert float((found - expected).abs().max() / expected.abs().max()) < 0.02


@pytest.mark.parametrize("tokens", [15, 16, 31])
def test_any_number_of_tokens(tokens: int, used: list[int]) -> None:
    """Few samples must tell apart one gradient in every `tokens` rows."""
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(4, 2, 4, 0.0, batch_first=True)
    net, x = nn.Sequential(block, First(), nn.Linear(4, 2)).double(), randn(3, tokens, 4)
    found = empirical_ntk(net, "full", method=Structured())(x)
    assert_near(found, oracle.full(net, x))
    assert used == [6]


class First(nn.Module):
    """The first token."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


@pytest.mark.parametrize(
    "selected", [["first.weight"], ["last.bias"], ["hidden.weight", "last.weight"]]
)
def test_some_of_the_parameters(selected: list[str]) -> None:
    net, x = Net(lambda net, x: net.last(torch.relu(body(net, x)))).double(), randn(5, 3)
    params = [net.get_parameter(name) for name in selected]
    for outputs, expected in (("full", oracle.full), ("trace", oracle.trace)):
        found = empirical_ntk(net, outputs, params=selected, method=Structured())(x)
        assert_near(found, expected(net, x, params))


class Tokens(nn.Module):
    """Attention over 5 tokens of width 6, a block behind it, and a head."""

    def __init__(
        self, forward: Callable[[Any, Tensor], Tensor], *, batch_first: bool = True
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=batch_first)
        self.block = nn.TransformerEncoderLayer(6, 3, 8, 0.0, "gelu", batch_first=batch_first)
        self.first, self.gate, self.norm = nn.Linear(6, 6), nn.Linear(6, 6), nn.LayerNorm(6)
        self.head = nn.Linear(6, 3)
        self._own = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._own(self, torch.tanh(self.first(x)))


def attended(net: Any, x: Tensor, **options: Any) -> Tensor:
    return net.attention(x, x, x, need_weights=False, **options)[0]


def causal(net: Any, x: Tensor) -> Tensor:
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=x.dtype)
    return net.head((x + attended(net, x, attn_mask=mask, is_causal=True))[:, 3])


def masked(net: Any, x: Tensor) -> Tensor:
    mask = torch.arange(25.0, dtype=x.dtype).reshape(5, 5).sin()
    return net.head(torch.sin(attended(net, x, attn_mask=mask)[:, -1]))


def weighted(net: Any, x: Tensor) -> Tensor:
    mask = torch.arange(25.0, dtype=x.dtype).reshape(5, 5).cos()
    return net.head(net.attention(x, x, x, attn_mask=mask, need_weights=True)[0][:, 0])


def tokens_first(net: Any, x: Tensor) -> Tensor:
    return net.head(net.block(x.transpose(0, 1))[0])


def gated(net: Any, x: Tensor) -> Tensor:
    h = net.norm(x + attended(net, x))
    return net.head((h + nn.functional.silu(net.gate(h)) * h)[:, 2])


def two_tokens(net: Any, x: Tensor) -> Tensor:
    return net.head(net.block(x)[:, 1:3].sum(1))


def two_blocks(net: Any, x: Tensor) -> Tensor:
    return net.head(net.block(net.block(x))[:, 0])


def hooked_token(net: Any, x: Tensor) -> Tensor:
    h = net.block(x)
    h.register_hook(lambda g: 2 * g)
    return net.head(h[:, 0])


def all_tokens(net: Any, x: Tensor) -> Tensor:
    return net.head(net.block(x).mean(1))


def own_attention(net: Any, x: Tensor) -> Tensor:
    h = torch.softmax(x @ x.mT, -1) @ net.gate(x)
    return net.head((x + net.norm(h))[:, 4])


@pytest.mark.parametrize(
    ("forward", "layers"),
    [
        (lambda net, x: net.head(net.block(x)[:, 0]), 6),
        (causal, 2),
        (masked, 2),
        (tokens_first, 6),
        (gated, 4),
        (two_tokens, 1),
        (two_blocks, 6),
        (own_attention, 2),
        (all_tokens, 1),
        (hooked_token, 0),
    ],
    ids=[
        "first token",
        "causal",
        "mask of numbers",
        "tokens first",
        "gated",
        "two tokens",
        "two blocks",
        "attention by hand",
        "all tokens",
        "hook",
    ],
)
def test_a_token_that_is_read(
    forward: Callable[[Any, Tensor], Tensor], layers: int, used: list[int]
) -> None:
    """Behind the last attention only it has gradients: their layers count as layers of one position."""
    net = Tokens(forward, batch_first=forward is not tokens_first).double()
    x = randn(4, 5, 6)
    if forward is hooked_token:
        hidden = ["first.weight"]
        found = empirical_ntk(net, "full", params=hidden, method=Structured())(x)
        assert_near(found, oracle.full(net, x, [net.first.weight]))
        assert not used
        return
    compared(net, x)
    assert set(used) == {layers}
    v = randn(12, 2)
    product = empirical_ntk(net, "full", method=Structured()).operator(x) @ v
    assert_near(product, oracle.full(net, x).transpose(1, 2).reshape(12, 12) @ v)


@pytest.mark.parametrize(
    ("forward", "last"),
    [
        (causal, "SafeSoftmaxBackward0"),
        (own_attention, "SoftmaxBackward0"),
        (weighted, "BaddbmmBackward0"),
    ],
    ids=["torch's", "by hand", "torch's with weights"],
)
def test_it_goes_on_through_the_scores_of_attention(
    forward: Callable[[Any, Tensor], Tensor], last: str, nodes: set[str]
) -> None:
    net, x = Tokens(forward).double(), randn(3, 5, 6)
    compared(net, x)
    assert last in nodes


@pytest.mark.parametrize(("memory", "most"), [(1, 1), (2_000, 1), (20_000, 10), (2**30, 50)])
def test_traces_of_many_outputs_are_added_up_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch, memory: int, most: int
) -> None:
    """With the memory of no layer's sum, of one output's gradients, of some, of all."""
    sizes: list[int] = []
    one_by_one = Ending.gradients

    def noted(self: Ending, nodes: Any, outputs: Any, alone: Any) -> Any:
        if any(node.name() == "AddmmBackward0" and node not in self.short for node in nodes):
            sizes.append(len(outputs))
        return one_by_one(self, nodes, outputs, alone)

    monkeypatch.setattr(Ending, "gradients", noted)
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(3, 40), nn.Tanh(), nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 50)
    )
    x = randn(6, 3)
    expected = oracle.trace(net.double(), x)
    assert_near(empirical_ntk(net, method=Structured(memory=memory))(x), expected)
    assert 0 < max(sizes) <= most
    assert_near(empirical_ntk(net)(x[:4], x), expected[:4])
