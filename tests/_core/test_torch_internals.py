"""Each private name of torch that is needed: a test fails by its name where a release of torch drops it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ntkit._core import torch_internals as internals
from ntkit._core.torch_internals import keeps, metadata, number_of, saved, shape_of
from tests.cases import randn

X = randn(3, 4, dtype=torch.float32).requires_grad_()
CUBE = randn(2, 3, 4, dtype=torch.float32).requires_grad_()
PICTURE = randn(2, 4, 5, 5, dtype=torch.float32).requires_grad_()
WEIGHT = randn(4, 4, dtype=torch.float32).requires_grad_()
TOKENS = torch.tensor([[0, 1], [2, 1]])

# How each kind of node is made, and what is read of it.
CALLS: list[tuple[str, Callable[[], Tensor], tuple[str, ...]]] = [
    ("AddmmBackward0", lambda: F.linear(X, WEIGHT, WEIGHT[0]), ("alpha", "beta", "mat1", "mat2")),
    ("MmBackward0", lambda: X @ WEIGHT, ("self", "mat2")),
    ("BmmBackward0", lambda: torch.bmm(CUBE, CUBE.mT), ("self", "mat2")),
    ("BaddbmmBackward0", lambda: torch.baddbmm(CUBE, CUBE, CUBE[:, :1].mT @ CUBE[:, :1]), ("batch1", "batch2", "alpha")),
    ("AddBackward0", lambda: X + WEIGHT[0], ("alpha",)),
    ("SubBackward0", lambda: X - WEIGHT[0], ("alpha",)),
    ("MulBackward0", lambda: X * WEIGHT[0], ("self", "other")),
    ("MulBackward1", lambda: torch.ops.aten.mul.Scalar(X, 2.0), ("other",)),
    ("DivBackward0", lambda: X / WEIGHT[0], ("other",)),
    ("PreluKernelBackward0", lambda: F.prelu(X, WEIGHT[0]), ("self",)),
    ("EmbeddingBackward0", lambda: F.embedding(TOKENS, WEIGHT), ("indices", "padding_idx", "scale_grad_by_freq", "sparse", "weight_sym_argsize_0")),
    ("ConvolutionBackward0", lambda: F.conv2d(PICTURE, PICTURE[:, :, :3, :3]), ("groups", "input", "stride", "padding", "dilation", "transposed")),
    ("NativeLayerNormBackward0", lambda: F.layer_norm(X, [4], WEIGHT[0]), ("input", "weight", "normalized_shape", "result1", "result2")),
    ("NativeGroupNormBackward0", lambda: F.group_norm(PICTURE, 2, WEIGHT[0]), ("input", "group", "result1", "result2")),
    ("NativeBatchNormBackward0", lambda: F.batch_norm(X, torch.zeros(4), torch.ones(4), WEIGHT[0]), ("input", "training", "running_mean", "running_var", "eps")),
    ("SelectBackward0", lambda: X.select(1, 0), ("dim", "index")),
    ("SliceBackward0", lambda: X[:, 1:3], ("dim", "start", "end", "step")),
    ("IndexBackward0", lambda: X[torch.tensor([0, 2])], ("indices", "self_sym_sizes")),
    ("TransposeBackward0", lambda: CUBE.transpose(0, 1), ("dim0", "dim1")),
    ("PermuteBackward0", lambda: CUBE.permute(2, 0, 1), ("dims",)),
    ("SoftmaxBackward0", lambda: X.softmax(-1), ("result", "dim")),
    ("SumBackward1", lambda: X.sum(1), ("dim",)),
    ("FlipBackward0", lambda: X.flip([0]), ("dims",)),
    ("CumsumBackward0", lambda: X.cumsum(1), ("dim",)),
    ("GatherBackward0", lambda: X.gather(1, torch.zeros(3, 1, dtype=torch.long)), ("dim",)),
    ("ConstantPadNdBackward0", lambda: F.pad(X, (1, 1)), ("pad",)),
    ("UnfoldBackward0", lambda: X.unfold(1, 2, 1), ("dimension",)),
    ("StackBackward0", lambda: torch.stack([X, X]), ("dim",)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "make", "names"), CALLS, ids=[kind for kind, *_ in CALLS])
def test_what_a_node_keeps(kind: str, make: Callable[[], Tensor], names: tuple[str, ...]) -> None:
    y = make()
    assert y.grad_fn is not None
    assert y.grad_fn.name() == kind
    assert [name for name in names if not keeps(y.grad_fn, name)] == []
    assert shape_of(y.grad_fn) == tuple(y.shape)
    assert metadata(y.grad_fn)[0].dtype == y.dtype
    assert metadata(y.grad_fn)[0].device == y.device


def test_what_is_kept_is_what_was_given() -> None:
    node = torch.add(X, WEIGHT[0], alpha=3).grad_fn
    assert saved(node, "alpha") == 3
    assert saved(node, "beta", 7) == 7
    with pytest.raises(AttributeError, match=r"`AddBackward0` of torch .* keeps no `beta`"):
        saved(node, "beta")


def test_nodes_are_numbered_in_the_order_of_their_calls() -> None:
    first = X.exp()
    second = first.sin()
    third = X.exp()  # does not follow from the second, and comes after it
    numbers = [number_of(y.grad_fn) for y in (first, second, third)]
    assert numbers == sorted(set(numbers))
    leaf = first.grad_fn.next_functions[0][0]  # pyright: ignore[reportOptionalMemberAccess]
    assert number_of(leaf) > numbers[-1]


def test_a_version_counts_changes_in_place() -> None:
    t = torch.zeros(3)
    before = internals.version_of(t)
    t.add_(1)
    assert internals.version_of(t) == before + 1
    t.data.add_(1)
    assert internals.version_of(t) == before + 1


def test_what_a_module_holds_is_where_it_is_looked_for() -> None:
    module = nn.Linear(2, 3)
    module.register_buffer("kept", torch.zeros(1))
    module.register_buffer("left", torch.zeros(1), persistent=False)
    module.add_module("part", nn.ReLU())
    tensors, buffers = (vars(module)[name] for name in internals.TENSORS)
    assert list(tensors) == ["weight", "bias"]
    assert list(buffers) == ["kept", "left"]
    assert list(vars(module)[internals.PARTS]) == ["part"]
    assert [name for name in buffers if internals.is_stored(module, name)] == ["kept"]


def test_hooks_are_where_they_are_looked_for() -> None:
    def nothing(*_: object) -> None: ...

    module = nn.Linear(2, 3)
    found = [*internals.FORWARD_HOOKS, *internals.BACKWARD_HOOKS]
    register = [
        module.register_forward_hook,
        module.register_forward_pre_hook,
        module.register_full_backward_hook,
        module.register_full_backward_pre_hook,
    ]
    for name, add in zip(found, register, strict=True):
        assert not vars(module)[name]
        add(nothing)
        assert [*vars(module)[name].values()] == [nothing]


def test_a_compiled_module_holds_its_own_where_it_is_looked_for() -> None:
    module = nn.Linear(2, 3)
    wrapper = torch.compile(module, backend="eager")
    assert type(wrapper).__module__.startswith(internals.COMPILER)
    assert internals.compiled_from(wrapper) is module  # pyright: ignore[reportArgumentType]
    assert internals.compiled_from(module) is None
    assert {*dict(wrapper.named_parameters())} == {
        f"{internals.WRAPPED}.weight",
        f"{internals.WRAPPED}.bias",
    }  # pyright: ignore
    module.compile(backend="eager")
    assert vars(module)[internals.COMPILED_CALL] is not None


def test_weight_normalisation_is_what_torch_calls() -> None:
    v, g = randn(3, 4), randn(3, 1)
    torch.testing.assert_close(
        internals.weight_norm(v, g, 0), v * (g / v.norm(dim=1, keepdim=True))
    )


def test_trees_of_outputs() -> None:
    leaves, spec = internals.tree_flatten({"a": [1, 2], "b": (3,)})
    assert leaves == internals.tree_leaves({"a": [1, 2], "b": (3,)}) == [1, 2, 3]
    assert internals.tree_unflatten([4, 5, 6], spec) == {"a": [4, 5], "b": (6,)}
    assert internals.tree_map_only(int, lambda k: k + 1, [1, "x"]) == [2, "x"]


def test_no_other_file_has_a_private_name_of_torch() -> None:
    root = Path(internals.__file__).parents[1]
    private = re.compile(
        r"torch(\.\w+)*\._[a-z]|\b_(saved_\w+|input_metadata|sequence_nr|orig_mod|non_persistent_buffers_set)\b"
        r"|\._(version|modules|parameters|buffers|forward_(pre_)?hooks)\b(?! *=)"
    )
    found = {
        f"{path.relative_to(root)}: {match[0]}"
        for path in root.rglob("*.py")
        if path != Path(internals.__file__)
        for match in private.finditer(re.sub(r"self\._\w+", "", path.read_text(encoding="utf-8")))
    }
    assert found == set()
