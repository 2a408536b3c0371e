"""ONNX: a graph that ONNX Runtime, browsers and other frameworks run."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ntkit.experiments.export.exported_network import ExportedNetwork
from ntkit.experiments.export.program import exported_program

__all__ = ["onnx_file"]

OPSET = 18
"""Version of ONNX's operators: the oldest one that PyTorch's exporter writes without converting."""

_MOST_BYTES = 2**31 - 1  # of protocol buffers


def onnx_file(subject: ExportedNetwork) -> tuple[bytes, list[str]]:
    """The content of an `.onnx` file, checked by ONNX's own checker, and notes.

    One input `coordinates` `[n, d]`, one output `values` `[n, o]`, float32; `n` is free. What they mean
    stands in `metadata_props`.

    Raises:
        ImportError: `onnx` or `onnxscript` is missing.
        ValueError: It takes more than 2 GB.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  # PyTorch's exporter needs it
    except ImportError as error:
        raise ImportError(
            f"`{error.name}` is needed for ONNX: `pip install 'ntkit[export]'`."
        ) from None
    size = sum(t.numel() * t.element_size() for t in subject.network.state_dict().values())
    if size > _MOST_BYTES:
        raise ValueError(
            f"The network takes {size / 1e9:.1f} GB, and an ONNX file holds 2 at most. Pass `--format torch`."
        )
    with _quiet():
        program = torch.onnx.export(
            exported_program(subject),
            input_names=["coordinates"],
            output_names=["values"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # it is None where a path is given
    model = program.model_proto
    _tidy(model)
    onnx.helper.set_model_props(model, subject.meaning())
    content = model.SerializeToString()
    onnx.checker.check_model(content, full_check=True)
    found = model.opset_import[0].version
    return content, [f"ONNX operators of version {found}, float32, any number of points"]


def _tidy(model: Any) -> None:
    """Call the number of points `n`, and take out what the exporter keeps for its own debugging."""
    graph = model.graph
    values = [*graph.input, *graph.output, *graph.value_info]
    for part in (graph, *graph.node, *graph.initializer, *values):
        del part.metadata_props[:]
    symbol = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in values:
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = re.sub(rf"\b{re.escape(symbol)}\b", "n", axis.dim_param)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what the exporter says of its own parts: deprecations, and that torchvision is missing."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
