"""Every encoding is an ordinary module: compiled, exported, saved, moved, differentiated twice.

The first instance of each class in `tests/cases.py`, and what is no encoding of two coordinates (modules of two
arguments, directions) in a row of `MODULES`; a public class that is in neither fails a test.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import isclass

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit import encodings
from ntkit._core.errors import UnsupportedLayerError
from ntkit.networks import Linear
from tests.cases import ENCODINGS, seeded
from tests.tolerances import assert_near

BATCH = (3, 4)


def points(*shape: int, seed: int = 1) -> Tensor:
    """Inside the unit cube, and on no kink."""
    return torch.rand(*shape, generator=seeded(seed), dtype=torch.float64)


@dataclass(frozen=True)
class Case:
    """A module and what it is called with.

    Attributes:
        make: The module, float32, the same at each call.
        inputs: Its arguments in float64 with these batch axes.
        phase: Largest phase in radians, or what else multiplies the rounding of float32.
    """

    make: Callable[[], nn.Module]
    inputs: Callable[..., tuple[Tensor, ...]] = lambda *batch: (points(*batch, 2),)
    phase: float = 100.0


MODULES: dict[type, Case] = {
    **{kind: Case(partial(makers[0], 2)) for kind, makers in ENCODINGS.items() if makers},
    encodings.Integrated: Case(
        lambda: encodings.Integrated(encodings.Gaussian(2, 8, 3.0, seeded())),
        lambda *batch: (points(*batch, 2), 0.01 * points(*batch, 2, seed=2)),
    ),
    encodings.Rotary: Case(
        lambda: encodings.Rotary(encodings.Sinusoidal(2, 3)),
        lambda *batch: (points(*batch, 12), 10 * points(*batch, 2, seed=2)),
    ),
    encodings.SphericalHarmonics: Case(
        lambda: encodings.SphericalHarmonics(4), lambda *batch: (points(*batch, 3) - 0.4,)
    ),
}
"""Encodings of two coordinates, the modules of two arguments, and what takes other points."""

each = pytest.mark.parametrize("case", MODULES.values(), ids=[kind.__name__ for kind in MODULES])


def test_each_public_class_has_a_row() -> None:
    public = [getattr(encodings, name) for name in encodings.__all__]
    modules = {c for c in public if isclass(c) and issubclass(c, nn.Module)}
    assert {c for c in modules if not c.__name__.startswith("Abstract")} == set(MODULES)


@each
def test_dtypes_follow_the_input(case: Case) -> None:
    module, inputs = case.make(), case.inputs(*BATCH)
    exact = module(*inputs)
    assert exact.dtype == torch.float64
    single = module(*(x.float() for x in inputs))
    assert single.dtype == torch.float32
    assert_near(single, exact, loosen=case.phase)
    assert_near(case.make().double()(*inputs), exact)


@each
def test_batch_axes_are_points_on_their_own(case: Case) -> None:
    module, inputs = case.make(), case.inputs(*BATCH)
    together = module(*inputs)
    assert together.shape[:-1] == BATCH
    assert_near(together[1, 2], module(*(x[1, 2] for x in inputs)))
    assert module(*(x[:0] for x in inputs)).shape == (0, *together.shape[1:])


@each
def test_arguments_and_global_random_state_are_left_as_found(case: Case) -> None:
    module, inputs, state = case.make(), case.inputs(*BATCH), torch.get_rng_state()
    before = [x.clone() for x in inputs]
    module(*inputs)
    assert all(map(torch.equal, before, inputs))
    assert torch.equal(state, torch.get_rng_state())


@each
def test_state_travels(case: Case) -> None:
    """Through a state dict into a module whose state was wiped out, and through pickle."""
    module, other, inputs = case.make(), case.make(), case.inputs(*BATCH)
    for tensor in other.state_dict().values():
        tensor.zero_()
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(*inputs), module(*inputs))
    assert torch.equal(pickle.loads(pickle.dumps(module))(*inputs), module(*inputs))


@each
def test_it_is_where_it_is_sent(case: Case) -> None:
    """On the meta device, which holds no numbers, nothing of the CPU may be left."""
    module, inputs = case.make().to("meta"), case.inputs(*BATCH)
    found = module(*(x.to("meta") for x in inputs))
    assert found.device.type == "meta"
    assert found.shape == case.make()(*inputs).shape


@each
def test_derivatives_of_both_orders(case: Case) -> None:
    module = case.make().double()
    inputs = tuple(x.requires_grad_() for x in case.inputs(2))
    assert torch.autograd.gradcheck(module, inputs)
    if module(*inputs).grad_fn is not None:
        assert torch.autograd.gradgradcheck(module, inputs)


@pytest.mark.slow
@each
def test_compiled_it_is_the_same(case: Case, unchecked: None) -> None:
    """Whole, with no break in the graph, and its derivative too; the checker of types cannot be compiled."""
    module, inputs = case.make().double(), case.inputs(*BATCH)
    torch._dynamo.reset()
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    found, expected = [], []
    for call, kept in ((compiled, found), (module, expected)):
        leaves = [x.clone().requires_grad_() for x in inputs]
        out = call(*leaves)
        kept += [out.detach(), *torch.autograd.grad(out.sin().sum(), leaves)]
    for a, b in zip(found, expected, strict=True):
        assert_near(a, b)


@each
def test_exported_it_is_the_same_at_any_batch(case: Case, unchecked: None) -> None:
    module = case.make()
    inputs, others = ([x.float() for x in case.inputs(n, 4)] for n in (3, 5))
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} for _ in inputs)
    program = torch.export.export(module, tuple(inputs), dynamic_shapes=shapes)
    assert_near(program.module()(*others), module(*others))


class Split(nn.Module):
    """Columns of one tensor of points, as the arguments of a module that takes several."""

    def __init__(self, module: nn.Module, sizes: list[int]) -> None:
        super().__init__()
        self.module, self.sizes = module, sizes

    def forward(self, x: Tensor) -> Tensor:
        """The module's features."""
        return self.module(*x.split(self.sizes, -1))


@each
def test_the_infinite_width_kernel_takes_it_for_a_first_layer(case: Case) -> None:
    """The kernel of the network on top, on features computed by hand; none of what is trained."""
    module, inputs = case.make(), case.inputs(5)
    sizes = [x.shape[-1] for x in inputs]
    features = module(*inputs)
    layers = [
        Linear(features.shape[-1], 8, b_std=0.3, generator=seeded()),
        nn.ReLU(),
        Linear(8, 1, generator=seeded(1)),
    ]
    first = module if len(inputs) == 1 else Split(module, sizes)
    if any(True for _ in module.parameters()):
        with pytest.raises(UnsupportedLayerError, match="is trained with the network"):
            ntkit.ntk(nn.Sequential(first, *layers))
        return
    found = ntkit.ntk(nn.Sequential(first, *layers))(torch.cat(inputs, -1))
    assert_near(found, ntkit.ntk(nn.Sequential(*layers))(features), loosen=1000)
