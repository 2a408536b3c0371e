"""Encodings as ONNX graphs, run by ONNX's own reference: any batch, the same features."""

import pytest
import torch

from tests.encodings.test_modules import Case, each
from tests.tolerances import assert_near

EXPORTERS_OWN = [
    "ignore:.isinstance.treespec, LeafSpec.:FutureWarning",
    "ignore:overflow encountered in cast:RuntimeWarning",  # the bounds of `nan_to_num` in float64
]


@pytest.mark.slow
@pytest.mark.filterwarnings(*EXPORTERS_OWN)
@each
def test_the_graph_computes_the_features(case: Case, unchecked: None) -> None:
    onnx = pytest.importorskip("onnx.reference")
    pytest.importorskip("onnxscript")
    module = case.make().eval()
    inputs, others = ([x.float() for x in case.inputs(n, 4)] for n in (3, 5))
    program = torch.onnx.export(
        module,
        tuple(inputs),
        dynamo=True,
        dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs),
        verbose=False,
    )
    assert program is not None
    run = onnx.ReferenceEvaluator(program.model_proto)
    names = [value.name for value in program.model_proto.graph.input]
    feeds = {n: x.numpy() for n, x in zip(names, others, strict=True)}
    (found,) = run.run(None, feeds)
    assert_near(torch.from_numpy(found), module(*others), loosen=10)
