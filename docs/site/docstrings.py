"""Docstrings, which are plain text with Markdown's backticks, as the text that autodoc reads."""

import re
from collections.abc import Iterator

import public
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import ExtensionMetadata

CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SPECIAL = re.compile(r"(?<=\S)\*|\||(?<=\w)_(?!\w)|\\|(?<!^)(?<!\*)\*", re.MULTILINE)


def to_rst(text: str) -> str:
    """Paragraphs with code in single backticks; examples stay as they are.

    Example:
        >>> to_rst("See `n` and `ntkit.Grid`.")
        'See ``n`` and :py:obj:`ntkit.Grid <ntkit.Grid>`.'
    """
    return "\n\n".join(_paragraphs(text))


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n[ \t]*\n", text):
        yield paragraph if paragraph.lstrip().startswith(">>>") else _paragraph(paragraph)


def _paragraph(text: str) -> str:
    head, example, tail = text.partition(">>> ")  # a heading such as `Example:` above it
    parts = CODE.split(head)
    parts[::2] = [SPECIAL.sub(lambda m: "\\" + m.group(), part) for part in parts[::2]]
    for k in range(1, len(parts), 2):
        parts[k] = _code(parts[k])
        if parts[k + 1][:1].isalnum():
            parts[k] += "\\ "
        if parts[k - 1][-1:].isalnum():
            parts[k] = "\\ " + parts[k]
    return "".join(parts) + example + tail


def _code(text: str) -> str:
    """A link where it is a public name."""
    home = public.homes().get(text) or _short().get(text)
    return f":py:obj:`{text} <{home}>`" if home else f"``{text}``"


def _short() -> dict[str, str]:
    """Names of classes alone, where one class has it."""
    found: dict[str, list[str]] = {}
    for home in set(public.homes().values()):
        found.setdefault(home.rpartition(".")[2], []).append(home)
    return {
        name: homes[0] for name, homes in found.items() if len(homes) == 1 and name[0].isupper()
    }


def _process(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    lines[:] = to_rst("\n".join(lines)).split("\n")


def _skip(
    app: Sphinx, what: str, name: str, value: object, skip: bool, options: object
) -> bool | None:
    """Leaves out what a class has from others than ntkit."""
    home = getattr(value, "__module__", None) or getattr(
        getattr(value, "fget", None), "__module__", ""
    )
    return None if home is None or home.startswith("ntkit") else True


def _missing(
    app: Sphinx, environment: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """A type of a signature: linked where it is a public name, plain where it is another's or our own private one."""
    if node["refdomain"] != "py" or node.get("refexplicit"):
        return None
    home = public.by_module().get(node["reftarget"])
    if home is None:
        return content
    python = environment.domains.python_domain
    docname = python.objects[home].docname
    return make_refnode(app.builder, node["refdoc"], docname, home, content, home)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Comes before napoleon, which takes the sections apart."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    app.connect("autodoc-skip-member", _skip)
    app.connect("missing-reference", _missing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
