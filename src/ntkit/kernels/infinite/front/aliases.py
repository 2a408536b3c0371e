"""What a graph of calls hides: in-place calls, and parameters that act in two places."""

import operator
from typing import Any

from torch import fx, nn
from torch.nn import functional

from ntkit._core.errors import UnsupportedLayerError

__all__ = ["is_in_place", "parameters_used_twice", "settle_in_place"]

_IN_PLACE = {
    operator.iadd,
    operator.isub,
    operator.imul,
    operator.itruediv,
    operator.ipow,
    functional.relu_,
    functional.leaky_relu_,
    functional.elu_,
}
_VIEWS = {
    *("view", "reshape", "flatten", "squeeze", "unsqueeze", "unflatten", "expand", "expand_as"),
    *("permute", "transpose", "swapaxes", "movedim", "contiguous", "narrow", "select", "detach"),
    *("chunk", "split", "unbind", "getitem", "dropout", "view_as", "t", "mT", "diagonal"),
}
_VIEW_MODULES = (nn.Identity, nn.Flatten, nn.Unflatten, nn.modules.dropout._DropoutNd)


def is_in_place(root: nn.Module, node: fx.Node) -> bool:
    """Whether a call overwrites its first argument."""
    if node.op == "call_module":
        return bool(getattr(root.get_submodule(str(node.target)), "inplace", False))
    if node.op not in {"call_function", "call_method"}:
        return False
    name = _name(node)
    named = name.endswith("_") and not name.endswith("__")
    positional = len(node.args) > 1 and node.args[-1] is True and "relu" in name
    return named or positional or node.target in _IN_PLACE or bool(node.kwargs.get("inplace"))


def settle_in_place(root: nn.Module, graph: fx.Graph) -> None:
    """Let what comes after an in-place call see its result, as memory would have it.

    Raises:
        UnsupportedLayerError: A view of overwritten memory is used later.
    """
    order = {node: k for k, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        if not is_in_place(root, node) or not node.args or not isinstance(node.args[0], fx.Node):
            continue
        before = node.args[0]
        for user in list(before.users):
            if order[user] > order[node]:
                user.replace_input_with(before, node)
        for alias in _aliases(root, before) - {before, node}:
            late = [u for u in alias.users if order[u] > order[node] and u is not node]
            if late and order[alias] < order[node]:
                raise UnsupportedLayerError(
                    f"`{node.name}` overwrites `{before.name}` in place, and `{late[0].name}` uses "
                    f"the same memory later under another shape (`{alias.name}`). "
                    "Drop `inplace=True`, or write `x = x + y` in place of `x += y`."
                )


def parameters_used_twice(root: nn.Module, graph: fx.Graph) -> tuple[str, fx.Node] | None:
    """A parameter that acts outside of layers more than once, or inside one as well."""
    called = {str(node.target) for node in graph.nodes if node.op == "call_module"}
    uses: dict[str, int] = {}
    for node in graph.nodes:
        if node.op != "get_attr" or not isinstance(
            _attribute(root, str(node.target)), nn.Parameter
        ):
            continue
        path = str(node.target)
        acting = [user for user in node.users if _name(user) not in {"getattr", "size", "dim"}]
        inside = any(path.startswith(f"{layer}.") for layer in called)
        uses[path] = uses.get(path, int(inside)) + len(acting)
        if uses[path] > 1:
            return path, acting[-1] if acting else node
    return None


def _aliases(root: nn.Module, node: fx.Node) -> set[fx.Node]:
    """All nodes that may share memory with one."""
    while (origin := _viewed(root, node)) is not None:
        node = origin
    found, waiting = {node}, [node]
    while waiting:
        for user in waiting.pop().users:
            if user not in found and _viewed(root, user) in found:
                found.add(user)
                waiting.append(user)
    return found


def _viewed(root: nn.Module, node: fx.Node) -> fx.Node | None:
    if node.op == "call_module":
        is_view = isinstance(root.get_submodule(str(node.target)), _VIEW_MODULES)
    else:
        is_view = node.op in {"call_function", "call_method"} and _name(node) in _VIEWS
    if not (is_view or is_in_place(root, node)) or not node.args:
        return None
    return node.args[0] if isinstance(node.args[0], fx.Node) else None


def _name(node: fx.Node) -> str:
    target: Any = node.target
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))


def _attribute(root: nn.Module, path: str) -> Any:
    found: Any = root
    for name in path.split("."):
        found = getattr(found, name)
    return found
