"""Following a forward with stand-ins for its tensors: what torch.fx records, and what it cannot."""

import inspect
import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import RLock, get_ident
from typing import Any, cast

import jaxtyping
import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg
from torch.fx.proxy import TraceError

from ntkit._core.copies import Copier, cloned
from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.front.replaced import replaced
from ntkit.kernels.infinite.front.written_out import AsItSays, WrittenOut
from ntkit.kernels.infinite.meanings import meanings

__all__ = [
    "PLACE",
    "BranchError",
    "Tracer",
    "attribute",
    "call",
    "depends_on_points",
    "is_inside",
    "n_inputs",
]

PLACE = "ntkit_place"
"""Where a node's meta data hold the line of the user's that made it."""

_INSIDE = tuple(str(Path(file).parent) for file in (torch.__file__, jaxtyping.__file__, __file__))
"""Frames of torch, of the checker of types and of ours are no place in the user's forward."""

_ONE_AT_A_TIME = RLock()

_OF_SHAPES = {"shape", "size", "dim", "ndim", "ndimension", "numel", "nelement", "dtype", "device"}
"""What tells of a tensor without its entries."""


class BranchError(TraceError):
    """A forward that goes one way or the other by the entries of a tensor."""


def n_inputs(forward: Any) -> tuple[int, int]:
    """The least and the most tensors that a forward (a function of the module too) takes."""
    plain = [p for p in list(inspect.signature(forward).parameters.values())[1:] if _is_plain(p)]
    least = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in plain)
    most = sys.maxsize if any(p.kind is p.VAR_POSITIONAL for p in plain) else len(plain)
    return max(1, least), most


def _is_plain(parameter: inspect.Parameter) -> bool:
    return parameter.kind not in {parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD}


class _Proxy(fx.Proxy):
    """Stands for a value of the forward.

    Records `x += y` as what it is: whoever else holds `x` sees it change. Where the tracer has
    points, it knows the sizes of all axes but the first.
    """

    tracer: "Tracer"

    def __iadd__(self, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})

    def __isub__(self, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", operator.isub, (self, other), {})

    def __imul__(self, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", operator.imul, (self, other), {})

    def __itruediv__(self, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", operator.itruediv, (self, other), {})

    @property
    def shape(self) -> Any:
        """Numbers where they are known."""
        known = self.tracer.tensor(self)
        symbolic: Any = super().__getattr__("shape")
        return symbolic if known is None else (symbolic[0], *known.shape[1:])

    @property
    def ndim(self) -> Any:
        """A number where it is known."""
        known = self.tracer.tensor(self)
        return super().__getattr__("ndim") if known is None else known.ndim

    def dim(self) -> Any:
        """As `ndim`."""
        known = self.tracer.tensor(self)
        return super().__getattr__("dim")() if known is None else known.ndim

    def size(self, dim: Any = None) -> Any:
        """As `shape`, or one entry of it."""
        known = self.tracer.tensor(self)
        if known is None:
            return super().__getattr__("size")(*(() if dim is None else (dim,)))
        return self.shape if dim is None else self.shape[dim]

    def __len__(self) -> int:
        return self.tracer.length(self)


class Tracer(fx.Tracer):
    """Follows containers and users' modules; stops at layers with rules, their kin, and encodings.

    Args:
        is_layer: Whether a module is a layer with a rule, or of the kin of one.
        count: Tensors that the forward is given; other arguments keep their defaults.
        points: Some, if the forward may ask for sizes and numbers that only they tell.
    """

    def __init__(
        self,
        is_layer: Callable[[nn.Module], bool],
        count: int = 1,
        points: Sequence[Tensor] | None = None,
    ) -> None:
        super().__init__()
        self._is_layer = is_layer
        self._with_grad = torch.is_grad_enabled()
        self._count, self._points = count, points
        self._values: dict[fx.Node, Any] = {}
        self._still: nn.Module | None = None
        self._is_computing = False
        self._thread = get_ident()
        self.took_length: bool = False

    def trace(self, root: Any, concrete_args: Any = None) -> fx.Graph:
        """The graph of a forward, one at a time.

        torch.fx replaces methods of `nn.Module` itself meanwhile. Two traces that overlap would not put them
        back, and networks that other threads run must go by as they are.
        """
        with _ONE_AT_A_TIME:
            self._thread = get_ident()
            return super().trace(root, concrete_args)

    def _is_plain_run(self) -> bool:
        """Whether a module is run for its values: for a size, or by another thread."""
        return self._is_computing or get_ident() != self._thread

    def create_args_for_root(
        self, root_fn: Any, is_module: bool, concrete_args: Any = None
    ) -> tuple[Any, list[Any]]:
        """The module and a stand-in for each tensor that it is given."""
        names = []
        for parameter in list(inspect.signature(root_fn).parameters.values())[1:]:
            if parameter.kind is parameter.VAR_POSITIONAL:
                names += [f"{parameter.name}_{k}" for k in range(self._count - len(names))]
            elif _is_plain(parameter):
                names.append(parameter.name)
        self._still = None if self._points is None else Copier(cloned)(self.root)
        given = [self.create_proxy("placeholder", n, (), {}) for n in names[: self._count]]
        return root_fn, [self.root, *given]

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        """Notes the line of the user's, and marks what is computed without gradients.

        Weights before the latter never see it. Torch's own record of lines loads its compiler first,
        which takes over a second.
        """
        node = super().create_node(*args, **kwargs)
        node.meta[PLACE] = _users_line()
        if self._with_grad and not torch.is_grad_enabled():
            node.meta["no_grad"] = True
        return node

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """A proxy that knows in-place arithmetic."""
        return _Proxy(node, self)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """Torch's composite layers as calls of their parts.

        Raises:
            UnsupportedLayerError: The forward of one was replaced.
        """
        if self._is_plain_run():
            return forward(*args, **kwargs)
        meaning = meanings.get(type(m))
        if isinstance(meaning, WrittenOut) and self.path_of_module(m):
            place = replaced(m)
            if place is not None:
                raise UnsupportedLayerError(
                    f"The forward of `{self.path_of_module(m)}` ({type(m).__name__}) was replaced "
                    f"{place}, and the limit goes by the layer's type. Write its parts out in a "
                    "module of your own."
                )
            return meaning.forward(m, *args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """What a module holds: a stand-in for a parameter, and the parameter itself for computing."""
        if self._is_plain_run():
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one call; a subclass of a known layer is, so that it can be refused."""
        followed = isinstance(meanings.get(type(m)), AsItSays)
        own = type(m).__module__.startswith("ntkit.") and not followed
        return self._is_layer(m) or own or super().is_leaf_module(m, module_qualified_name)

    def to_bool(self, obj: fx.Proxy) -> bool:
        """Which way a branch goes: by shapes alone.

        Raises:
            BranchError: It goes by the entries of a tensor.
        """
        if not _is_of_shapes(obj.node):
            try:
                return super().to_bool(obj)
            except TraceError as error:
                raise BranchError(str(error)) from error
        return bool(self._value(obj.node))

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        """The entries of a tuple."""
        value, entries = self._value(obj.node), cast(Any, obj)
        if not isinstance(value, tuple | list):
            return super().iter(obj)
        return iter([entries[k] for k in range(len(value))])

    def tensor(self, obj: fx.Proxy) -> Tensor | None:
        """What a stand-in stands for, if it is known, and a tensor with axes."""
        value = None if self._points is None else self._value(obj.node)
        return value if isinstance(value, Tensor) and value.ndim else None

    def length(self, obj: fx.Proxy) -> int:
        """Of a tuple, or of a tensor: then it is the number of points, as a plain number."""
        value = self._value(obj.node)
        self.took_length |= isinstance(value, Tensor)
        return len(value)

    def _value(self, node: fx.Node) -> Any:
        """What a node makes of the points.

        Raises:
            TraceError: There are none yet.
        """
        if self._points is None:
            raise TraceError("its shapes are needed, and no points are known yet")
        self._is_computing = True  # torch.fx has calls of modules come to the tracer
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                for other in list(self.graph.nodes)[len(self._values) :]:
                    self._values[other] = self._computed(other)
        finally:
            self._is_computing = False
        return self._values[node]

    def _computed(self, node: fx.Node) -> Any:
        assert self._points is not None
        if node.op == "placeholder":
            place = sum(known.op == "placeholder" for known in self._values)
            return self._points[place].clone()
        args, kwargs = map_arg((node.args, node.kwargs), lambda n: self._values[n])
        assert self._still is not None
        root = self.root if node.op == "get_attr" else self._still  # constants are set on the way
        return call(root, node, args, kwargs)


def call(root: nn.Module, node: fx.Node, args: Any, kwargs: Any) -> Any:
    """What a node makes of its arguments."""
    if node.op == "get_attr":
        return attribute(root, str(node.target))
    if node.op == "call_module":
        return root.get_submodule(str(node.target))(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    assert callable(node.target)
    return node.target(*args, **kwargs)


def attribute(root: nn.Module, path: str) -> Any:
    """What `root.a.b` is, by its path."""
    found: Any = root
    for name in path.split("."):
        found = getattr(found, name)
    return found


def is_inside(place: str) -> bool:
    """Whether a file is no user's."""
    return any(folder in place for folder in _INSIDE)


def _is_of_shapes(node: fx.Node) -> bool:
    """Whether a node is a number that the shapes alone tell."""
    name = node.args[1] if node.target is getattr else node.target
    if node.op in {"call_function", "call_method"} and name in _OF_SHAPES:
        return True
    inputs = node.all_input_nodes
    return node.op == "call_function" and bool(inputs) and all(map(_is_of_shapes, inputs))


def depends_on_points(node: fx.Node) -> bool:
    """Whether entries of the points go into a node, not their shapes alone."""
    if node.op == "placeholder":
        return True
    return not _is_of_shapes(node) and any(map(depends_on_points, node.all_input_nodes))


def _users_line() -> tuple[str, int] | None:
    """File and line of the innermost call in the forward that is neither torch's nor ours."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not fx.Tracer.trace.__code__:
        if not is_inside(frame.f_code.co_filename):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None
