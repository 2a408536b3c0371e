"""Layers that treat each unit alone, or the features of the points before all layers."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor, fx, nn

from ntkit.kernels.infinite.front.calls.gates import refuse_gated
from ntkit.kernels.infinite.front.calls.pointwise import means_of, raised
from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.front.taken import Drawn
from ntkit.kernels.infinite.front.trace import refuse, where
from ntkit.kernels.infinite.front.trained import trained, trained_at_all
from ntkit.kernels.infinite.program.held_layer import held
from ntkit.kernels.infinite.program.op import AbstractOp, AbstractUnbound
from ntkit.kernels.infinite.program.ops.affine import Custom
from ntkit.kernels.infinite.program.ops.bend import Mean
from ntkit.kernels.infinite.program.ops.embed import TrainFeatures
from ntkit.kernels.infinite.program.ops.normalise import ScaleWithMeans
from ntkit.kernels.infinite.program.ops.scale import TrainedScale
from ntkit.kernels.infinite.rules.normalisation import BATCH, epsilon_of, own_cross, scale_and_shift
from ntkit.kernels.infinite.rules.registry import Rule
from ntkit.kernels.infinite.rules.variances import Taken, mean_of

__all__ = ["mean_of_shift", "of_features", "scaled"]

_KNOWN = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)
"""Normalisations that may stand before all layers."""


def scaled(reader: Reader, node: fx.Node, index: int, rule: Rule) -> int:
    """A layer with the effect "scaling"."""
    module: Any = reader.layer(node)
    value = reader.units(index)
    means: list[Mean] = []
    if isinstance(module, BATCH) and not value.is_centred:
        found = means_of(reader, [index])
        if found is None:
            refuse(
                node,
                f"`{module}` acts on units whose mean is not known (pooled, multiplied or dropped "
                "after a nonlinearity, or mixed with raw input). Put a layer with weights before it.",
            )
        means = found
    known = 0.0
    if isinstance(module, BATCH) and value.is_gaussian and value.is_centred:
        known = mean_of_shift(reader, scale_and_shift(module)[1])
    step = ScalingCall(
        str(module),
        (index, *(part.base for part in means)),
        replace(value, is_gaussian=value.is_gaussian and not means),
        module,
        rule,
        "centred" if known else reader.variances,
        tuple(means),
        bool(node.meta.get("no_grad")),
        where(node),
        back="variances",
        is_homogeneous=False,
    )
    drawn = None
    if isinstance(module, BATCH):
        drawn = Drawn(reader.name_of(node), module, "norm", known)
    if not step.has_numbers:
        refuse_gated(reader, node, step.name, step.inputs)
    new = reader.add(step, drawn, has_weights=any(True for _ in module.parameters()))
    return raised(reader, new, known) if known else new


@dataclass(frozen=True)
class ScalingCall(AbstractUnbound):
    """A call of a layer with the effect "scaling".

    Attributes:
        layer: It.
        rule: What it does to a state.
        variances: Where those of plain layers come from.
        means: Of the units, where they have one.
        no_grad: Whether it is called where no gradients are taken.
        where: What an error calls its place.
    """

    layer: nn.Module
    rule: Rule
    variances: Taken
    means: tuple[Mean, ...]
    no_grad: bool
    where: str

    keeps_means: ClassVar[bool] = True

    @property
    def has_numbers(self) -> bool:
        """Whether it becomes a scale and a shift of centred units."""
        return self.rule.numbers is not None and not self.means

    def bind(self) -> AbstractOp:
        """By the numbers of the layer, where its rule says them."""
        layer, variances = self.layer, self.variances
        same = self.name, self.inputs, self.units
        options: dict[str, Any] = {"back": self.back, "is_homogeneous": self.is_homogeneous}
        if self.rule.numbers is None:
            either = trained_at_all(self.where, layer, no_grad=self.no_grad)
            of_rule = held(layer), self.rule.apply, variances
            return Custom(*same, *of_rule, either, False, self.where, **options)
        trains = trained(self.where, layer, no_grad=self.no_grad)
        weights = self.rule.numbers(layer, variances).trained(*trains)
        if not self.means:
            return TrainedScale(*same, weights, **options)
        scale, shift = scale_and_shift(layer)
        own = own_cross(layer) if trains[0] else 0.0
        return ScaleWithMeans(*same, weights, float((scale * shift).mean()), own, self.means)


def of_features(reader: Reader, node: fx.Node, argument: fx.Node) -> int:
    """Normalisation of the points' own features, with its weights as they are: nothing is random."""
    module: Any = reader.layer(node)
    if type(module) not in {*_KNOWN, *BATCH}:
        refuse(
            node,
            f"`{module}` normalises the points' own features with weights of its own, which are few. Put a "
            "layer with weights before it.",
        )
    weight, bias = module.weight, getattr(module, "bias", None)
    if weight is None:  # a feature map
        return reader.entered(node, 1 if isinstance(module, (*BATCH, nn.GroupNorm)) else -1)
    several = not isinstance(module, BATCH) and len(getattr(module, "normalized_shape", (1, 1))) > 1
    if several:
        refuse(
            node,
            "it normalises the inputs over several axes with weights of its own. "
            "Use `elementwise_affine=False` (`affine=False`).",
        )
    axis = 1 if isinstance(module, BATCH) else -1

    def hat(z: Tensor) -> Tensor:
        if isinstance(module, nn.LayerNorm):
            return nn.functional.layer_norm(z, z.shape[-1:], eps=module.eps)
        if isinstance(module, nn.RMSNorm):
            return nn.functional.rms_norm(z, z.shape[-1:], eps=epsilon_of(module))
        assert module.running_mean is not None and module.running_var is not None
        mean, var = module.running_mean.double(), module.running_var.double()
        return (z - mean) * (var + module.eps).rsqrt()

    def whole(z: Tensor) -> Tensor:
        z = hat(z) * weight.detach().double()
        return z if bias is None else z + bias.detach().double()

    plain = bool((weight == 1).all()) and (bias is None or not bias.any())
    name = str(node.target)
    bare = reader.entered(argument, axis, through=(f"{name} hat", hat))
    full = bare if plain else reader.entered(argument, axis, through=(name, whole))
    no_grad = bool(node.meta.get("no_grad"))
    own_weight, own_bias = trained(where(node), module, no_grad=no_grad)
    own_bias = own_bias and bias is not None

    units = replace(reader.units(full), sources=frozenset())
    inputs = (full, bare) if full != bare else (full,)
    op = TrainFeatures(str(module), inputs, units, float(own_weight), float(own_bias))
    return reader.add(op, Drawn(reader.name_of(node), module, "inputs"), has_weights=True)


def mean_of_shift(reader: Reader, shift: Tensor | None) -> float:
    """The mean of shifts that a later step is to add."""
    return 0.0 if shift is None or not reader.with_means else mean_of(shift)
