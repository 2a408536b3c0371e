"""Reading a module: the graph of calls in its forward, and the shapes that go through it."""

import linecache
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from ntkit._core.chance import seeded
from ntkit._core.copies import Copier, cloned
from ntkit._core.errors import UnsupportedLayerError
from ntkit._core.running import AsFound
from ntkit._core.torch_internals import compiled_from
from ntkit.kernels.infinite.front.aliases import parameters_used_twice, settle_in_place
from ntkit.kernels.infinite.front.point_counts import with_lengths
from ntkit.kernels.infinite.front.tracer import (
    PLACE,
    BranchError,
    Tracer,
    call,
    is_inside,
    n_inputs,
)
from ntkit.kernels.infinite.front.written_out import WrittenOut
from ntkit.kernels.infinite.meanings import meanings
from ntkit.networks.symmetrise import Symmetrised

__all__ = ["IsLayer", "NeedsPointsError", "Traced", "refuse", "takes", "trace", "where"]

IsLayer = Callable[[nn.Module], bool]


class NeedsPointsError(UnsupportedLayerError):
    """A forward that cannot be followed before it is known which points it gets."""


@dataclass(frozen=True)
class Traced:
    """A module as a graph of calls.

    Attributes:
        root: The module; in a container of its own if it is a single layer.
        body: The module itself; the one half of a symmetrised pair.
        graph: Calls in order.
        starts_at_zero: Whether the module was symmetrised.
    """

    root: nn.Module
    body: nn.Module
    graph: fx.Graph
    starts_at_zero: bool

    def layers(self) -> list[list[nn.Parameter]]:
        """The parameters of each layer that has any, in the order of the calls."""
        called = (node for node in self.graph.nodes if node.op == "call_module")
        found = ([*self.layer(node).parameters()] for node in called)
        return [parameters for parameters in found if parameters]

    def layer(self, node: fx.Node) -> nn.Module:
        """The module that a node calls."""
        return self.root.get_submodule(str(node.target))

    def on_weights(self) -> set[fx.Node]:
        """The calls of modules that have weights, or come after such."""
        found: set[fx.Node] = set()
        for node in self.graph.nodes:
            own = node.op == "call_module" and any(True for _ in self.layer(node).parameters())
            if own or any(n in found for n in node.all_input_nodes):
                found.add(node)
        return {node for node in found if node.op == "call_module"}

    def sample(self, name: str, inputs: Sequence[Tensor]) -> dict[fx.Node, Any]:
        """What each node makes of `inputs`: tensors as their shapes, all else as it is.

        One forward pass of the network as it stands, without gradients; the random state is left
        as it was.

        Raises:
            UnsupportedLayerError: The graph does not compute what the module does.
            ValueError: The forward pass fails.
        """
        values: dict[fx.Node, Any] = {}
        found: dict[fx.Node, Any] = {}
        waiting = [x.clone() for x in inputs]
        copier = Copier(cloned)  # what runs write, attributes and buffers, is not the user's
        still = replace(self, root=copier(self.root), body=copier(self.body))
        with torch.no_grad(), seeded(0), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for node in self.graph.nodes:
                args, kwargs = map_arg((node.args, node.kwargs), lambda n: values[n])
                try:
                    values[node] = still._sampled(node, args, kwargs, waiting)
                except (RuntimeError, TypeError, IndexError, ValueError) as error:
                    raise ValueError(
                        f"The network does not take `{name}`, points of shape {_points(inputs)}: at "
                        f"{where(node)} {str(error).splitlines()[0]}. "
                        "Check the points' features and shape."
                    ) from error
                found[node] = _shapes(values[node])
            with seeded(0):
                expected = still.body(*[x.clone() for x in inputs])
        if not _agree(values[self.output], expected):
            raise UnsupportedLayerError(
                f"The calls that `{type(self.body).__name__}` was read as do not compute what its "
                "forward does: it changes tensors or state behind them, or depends on chance. "
                "Write it without."
            )
        return found

    def call(self, node: fx.Node, args: Any, kwargs: Any) -> Any:
        """What a node makes of its arguments."""
        return call(self.root, node, args, kwargs)

    @property
    def output(self) -> fx.Node:
        """What the forward returns."""
        return next(node for node in self.graph.nodes if node.op == "output")

    @property
    def inputs(self) -> list[fx.Node]:
        """The arguments of the module's forward."""
        return [node for node in self.graph.nodes if node.op == "placeholder"]

    def _sampled(self, node: fx.Node, args: Any, kwargs: Any, waiting: list[Tensor]) -> Any:
        if node.op == "placeholder":
            return waiting.pop(0)
        return args[0] if node.op == "output" else self.call(node, args, kwargs)


def takes(module: nn.Module, is_layer: IsLayer) -> tuple[int, int]:
    """The least and the most tensors that a module takes; `is_layer` as for `trace`."""
    return n_inputs(type(_rooted(module, is_layer)[0]).forward)


def trace(
    module: nn.Module,
    is_layer: IsLayer,
    count: int | None = None,
    points: Sequence[Tensor] | None = None,
) -> Traced:
    """The calls of a module's forward, in order.

    Args:
        module: It.
        is_layer: Whether a module is a layer with a rule, or of the kin of one: it is then one call.
        count: Tensors that it is given; those without a default if left out.
        points: Some of them, for a forward that asks for their shapes.
    """
    root, body = _rooted(module, is_layer)
    count = n_inputs(type(root).forward)[0] if count is None else count
    graph = _graph(root, body, is_layer, count, points)
    settle_in_place(root, graph)
    twice = parameters_used_twice(root, graph)
    if twice is not None:
        refuse(
            twice[1],
            f"the parameter `{twice[0]}` acts in two places, and the limit holds for independent "
            "weights. Give each place a parameter of its own.",
        )
    return Traced(root, body, graph, type(_unwrapped(module)) is Symmetrised)


def _rooted(module: nn.Module, is_layer: IsLayer) -> tuple[nn.Module, nn.Module]:
    """What is followed, and the module itself: one layer is put into a container.

    Raises:
        TypeError: `module` is no `nn.Module`.
        ValueError: It has no parameters, or uses one twice.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"`module` must be a torch.nn.Module, got {type(module).__name__}. "
            "Wrap layers in `nn.Sequential(...)`."
        )
    module = _unwrapped(module)
    body = module.plus if type(module) is Symmetrised else module
    if not any(True for _ in body.parameters()):
        raise ValueError(
            "`module` has no layer with parameters, so no tangent kernel. "
            "Add one, for example `nn.Sequential(encoding, ntkit.networks.Linear(f, 1))`."
        )
    _refuse_sharing(body)
    # torch.fx takes the class's forward of the root, and the object's own of what the root calls.
    own = "forward" in vars(body)
    composite = isinstance(meanings.get(type(body)), WrittenOut)
    wrap = own or composite or Tracer(is_layer).is_leaf_module(body, "")
    return nn.Sequential(body) if wrap else _beside(body), body


def _beside(module: nn.Module) -> nn.Module:
    """Another object with the attributes and parts of a module, for what tracing sets on it."""
    made = object.__new__(type(module))
    vars(made).update(vars(module))
    return made


def _graph(
    root: nn.Module,
    body: nn.Module,
    is_layer: IsLayer,
    count: int,
    points: Sequence[Tensor] | None,
) -> fx.Graph:
    """What torch.fx makes of the forward.

    Raises:
        NeedsPointsError: The forward cannot be followed without points.
        UnsupportedLayerError: It cannot be followed.
    """
    tracer, before = Tracer(is_layer, count, points), AsFound(body)
    try:
        graph = tracer.trace(root)
        if not tracer.took_length:
            return graph
        assert points is not None
        more = [torch.cat([x, x[:1]]) for x in points]
        sizes = len(points[0]), len(more[0])
        return with_lengths(root, graph, Tracer(is_layer, count, more).trace(root), sizes)
    except UnsupportedLayerError:
        raise
    except Exception as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = (
            f"The forward of `{type(body).__name__}` cannot be followed by torch.fx: "
            f"{_line_of(error)}{why}. Branches on data, assignments to entries and loops over tensors "
            "have no graph: rewrite the forward without them, or put that part into a module of its own "
            "and file a rule for it (`ntkit.kernels.rules.register`)."
        )
        if points is None and not isinstance(error, BranchError):
            more = " Or it is one that cannot be read before it is known which points it gets: call the kernel on some."
            raise NeedsPointsError(message + more) from error
        raise UnsupportedLayerError(message) from error
    finally:
        before.put_back()  # attributes that the forward sets


def where(node: fx.Node) -> str:
    """A node's name and its line in the user's forward."""
    name = str(node.target) if node.op == "call_module" else node.name
    place = node.meta.get(PLACE)
    if place is None:
        return f"`{name}`"
    file, line = place
    return f'`{name}` (File "{file}", line {line}: `{linecache.getline(file, line).strip()}`)'


def refuse(node: fx.Node, why: str) -> NoReturn:
    """Name a node, its line and why the limit cannot follow it.

    Raises:
        UnsupportedLayerError: Always.
    """
    raise UnsupportedLayerError(f"At {where(node)}: {why}")


def _unwrapped(module: nn.Module) -> nn.Module:
    """The module inside of what compiles or distributes it.

    Raises:
        TypeError: It is compiled to TorchScript, or complex.
        ValueError: It is lazy, and its sizes are not known yet.
    """
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        if (inner := compiled_from(module)) is None and isinstance(module, wrappers):
            inner = module.module
        if inner is None:
            break
        module = inner
    if isinstance(module, torch.jit.ScriptModule):
        raise TypeError(
            "`module` is compiled to TorchScript, whose layers cannot be read. "
            "Pass the module that it was made from."
        )
    for name, parameter in module.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ValueError(
                f"`{name}` of a lazy layer has no size yet. Call the module once on some points first."
            )
        if parameter.is_complex():
            raise TypeError(f"`{name}` is complex; the limit is that of real weights.")
    return module


def _line_of(error: BaseException) -> str:
    """Where in the user's code tracing came to an end."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not is_inside(f.filename)]
    if not frames:
        return ""
    return f'at File "{frames[-1].filename}", line {frames[-1].lineno}: `{frames[-1].line}`: '


def _points(inputs: Sequence[Tensor]) -> str:
    return " and ".join(str(tuple(x.shape[1:])) for x in inputs)


def _shapes(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.shape
    if isinstance(
        value, tuple | list
    ):  # a tensor's shape among them: only tensors are `torch.Size`
        return tuple(_shapes(v) for v in value)
    return value


def _agree(one: Any, other: Any) -> bool:
    """Whether two results are the same, up to rounding."""
    if isinstance(one, Tensor):
        return one.shape == other.shape and torch.allclose(one, other, 1e-3, 1e-5, equal_nan=True)
    if isinstance(one, dict):
        return all(_agree(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return all(_agree(a, b) for a, b in zip(one, other, strict=True))
    return True


def _refuse_sharing(module: nn.Module) -> None:
    names: dict[int, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if id(parameter) in names:
            raise ValueError(
                f"`{name}` and `{names[id(parameter)]}` are one parameter. The rules of the "
                "infinite-width limit hold for independent weights; give each layer its own."
            )
        names[id(parameter)] = name
