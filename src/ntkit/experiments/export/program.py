"""PyTorch's own exported program: loaded by `torch.export.load`, without ntkit."""

import json
from io import BytesIO

import torch
from torch import fx
from torch.export import Dim, ExportedProgram

from ntkit.experiments.export.exported_network import ExportedNetwork

__all__ = ["exported_program", "program_file"]


def exported_program(subject: ExportedNetwork) -> ExportedProgram:
    """The network as a graph of PyTorch's operators, for any number of points.

    Raises:
        ValueError: PyTorch cannot trace it.
    """
    points = torch.linspace(0, 0.9, 3 * subject.in_dim).reshape(3, subject.in_dim)
    try:
        program = torch.export.export(
            subject.network, (points,), dynamic_shapes=({0: Dim("n", min=0)},)
        )
    except (RuntimeError, TypeError, ValueError, NotImplementedError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"`torch.export` cannot trace this network ({type(error).__name__}: {reason}). Write its forward "
            "pass without branches on values, or keep the run folder: `ntkit.load` reads it."
        ) from None
    _forget_source(program)
    return program


def program_file(subject: ExportedNetwork) -> tuple[bytes, list[str]]:
    """The content of a `.pt2` file, with the meaning of its numbers as `meaning.json` in it, and notes."""
    file = BytesIO()
    texts = {"meaning.json": json.dumps(subject.meaning(), indent=2)}
    torch.export.save(exported_program(subject), file, extra_files=texts)
    call = (
        'texts = {"meaning.json": ""}; torch.export.load(FILE, extra_files=texts).module()(points)'
    )
    return file.getvalue(), [f"float32, any number of points, PyTorch alone reads it: {call}"]


def _forget_source(program: ExportedProgram) -> None:
    """Take the paths and lines of the source out: they are of no use elsewhere, and name the user's folders."""
    for module in program.graph_module.modules():
        if isinstance(module, fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)
