"""Operations whose forward derivatives in PyTorch were tested, by the names of their nodes.

Forward rules of PyTorch 2.13 are wrong without a word for some operations: the first derivative of
`cholesky_inverse`, that of `cumprod` and of `det` once gradients go through it, the second of
`linalg.solve`, `slogdet` and `householder_product`. Those of the nodes named here agree with nested
reverse mode to the third order, at ordinary points and at zeros, ties and edges, and where no kink is
near with the values of the function alone; so do the gradients that go through them
(`tests/dynamics/test_forward_rules.py` has a row for each, and a test that none is missing).
"""

from collections.abc import Iterable
from typing import Any

__all__ = ["TESTED", "untested"]


def untested(nodes: Iterable[Any], order: int) -> str | None:
    """Name of a node whose forward derivatives of this order were not tested; None if all were."""
    known = TESTED if order > 1 else TESTED | TESTED_ONCE
    return next((name for node in nodes if (name := node.name()) not in known), None)


_NAMES = """
torch::autograd::AccumulateGrad torch::autograd::CopyBackwards torch::autograd::CopySlices
AbsBackward0 AdaptiveAvgPool2DBackward0 AdaptiveAvgPool3DBackward0
AdaptiveMaxPool2DBackward0 AddBackward0 AddBackward1 AddbmmBackward0 AddcdivBackward0
AddcmulBackward0 AddmmBackward0 AffineGridGeneratorBackward0 AmaxBackward0 AminmaxBackward0
AngleBackward0 AsStridedBackward0 AsinhBackward0 Atan2Backward0 AtanBackward0
AvgPool2DBackward0 AvgPool3DBackward0 BaddbmmBackward0 BinaryCrossEntropyWithLogitsBackward0
BlockDiagBackward0 BmmBackward0 CatBackward0 CeluBackward0 ChannelShuffleBackward0
CholeskySolveBackward0 ClampBackward0 ClampBackward1 ClampMaxBackward0 ClampMinBackward0
CloneBackward0 Col2ImBackward0 ComplexBackward0 ConjBackward0 ConstantPadNdBackward0
ConvolutionBackward0 CosBackward0 CoshBackward0 CummaxBackward0 CumsumBackward0
DiagEmbedBackward0 DiagonalBackward0 DivBackward0 DotBackward0 EluBackward0
EmbeddingBackward0 ErfBackward0 ErfcBackward0 Exp2Backward0 ExpBackward0 ExpandBackward0
Expm1Backward0 FftC2CBackward0 FftC2RBackward0 FftR2CBackward0 FlipBackward0 FmodBackward0
GatherBackward0 GeluBackward0 HardshrinkBackward0 HardswishBackward0 HardtanhBackward0
HypotBackward0 Im2ColBackward0 IndexAddBackward0 IndexBackward0 IndexCopyBackward0
IndexPutBackward0 IndexSelectBackward0 KthvalueBackward0 LeakyReluBackward0 LerpBackward0
LerpBackward1 LgammaBackward0 LinalgCholeskyExBackward0 LinalgCrossBackward0
LinalgInvExBackward0 LinalgLstsqBackward0 LinalgMatrixExpBackward0 LinalgPinvBackward0
LinalgSolveTriangularBackward0 Log10Backward0
Log1PBackward0 Log2Backward0 LogBackward0 LogSigmoidBackward0 LogSoftmaxBackward0
LogaddexpBackward0 LogsumexpBackward0 MaskedFillBackward0 MaskedSelectBackward0 MaxBackward0
MaxBackward1 MaxPool2DWithIndicesBackward0 MaxPool3DWithIndicesBackward0 MaximumBackward0
MeanBackward0 MeanBackward1 MedianBackward1 MinBackward0 MinimumBackward0 MishBackward0
MmBackward0 MseLossBackward0 MulBackward0 MulBackward1 MvBackward0 NanToNumBackward0
NansumBackward0 NativeBatchNormBackward0 NativeGroupNormBackward0 NegBackward0
NllLossBackward0 PermuteBackward0 PixelShuffleBackward0 PixelUnshuffleBackward0
PolarBackward0 PowBackward0 PowBackward1 PowBackward2 ReciprocalBackward0 ReflectionPad1DBackward0 ReluBackward0 RemainderBackward0
RepeatBackward0 ReplicationPad1DBackward0 ReshapeAliasBackward0 RollBackward0 Rot90Backward0
RreluWithNoiseBackward0 RsqrtBackward0 RsubBackward1 SafeSoftmaxBackward0
ScatterAddBackward0 ScatterBackward0 ScatterReduceBackward0 SelectBackward0
SelectScatterBackward0 SigmoidBackward0 SignBackward0 SiluBackward0 SinBackward0
SinhBackward0 SliceBackward0 SliceScatterBackward0 SmoothL1LossBackward0 SoftmaxBackward0
SoftplusBackward0 SoftshrinkBackward0 SortBackward0 SplitBackward0 SplitWithSizesBackward0
SqrtBackward0 SqueezeBackward0 SqueezeBackward1 SqueezeBackward2 SqueezeBackward4
StackBackward0 SubBackward0 SumBackward0 SumBackward1 TBackward0 TakeBackward0 TanBackward0
TanhBackward0 ThresholdBackward0 ToCopyBackward0 TopkBackward0 TraceBackward0
TransposeBackward0 TransposeBackward1 TrilBackward0 TrilinearBackward0 TriuBackward0
UnbindBackward0 UnfoldBackward0 UnsafeSplitBackward0 UnsafeViewBackward0 UnsqueezeBackward0
UpsampleBicubic2DBackward0 UpsampleBilinear2DBackward0 UpsampleLinear1DBackward0
UpsampleNearest1DBackward0 UpsampleNearest2DBackward0 UpsampleNearest3DBackward0
UpsampleNearestExact2DBackward0 UpsampleTrilinear3DBackward0 VarBackward0 VarMeanBackward0
ViewAsComplexBackward0 ViewAsRealBackward0 ViewBackward0 WhereBackward0 XlogyBackward0
"""

TESTED = frozenset(_NAMES.split())
"""To the third order; a node is the unit of which PyTorch has rules."""

TESTED_ONCE = frozenset(["NativeLayerNormBackward0"])
"""To the first order: those of the second are written out (`plain_formulas.py`)."""
