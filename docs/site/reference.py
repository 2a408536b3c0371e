"""The reference: a page for each namespace, with every public name."""

import inspect
from types import ModuleType

import public
from docstrings import to_rst
from public import Public


def pages() -> dict[str, str]:
    """The text of each page, by its place.

    Raises:
        ValueError: A public name has no docstring.
    """
    bare = [p.name for names in public.everything().values() for p in names if not p.doc]
    if bare:
        raise ValueError(f"Public names without a docstring: {', '.join(bare)}.")
    spaces = public.namespaces()
    found = {f"reference/{_short(space)}.rst": _page(space) for space in spaces}
    listed = "\n".join(f"   {_short(space)}" for space in spaces)
    found["reference/index.rst"] = (
        "Reference\n=========\n\n"
        "Every public name, from its docstring; the examples run in the tests.\n\n"
        f".. toctree::\n   :maxdepth: 1\n\n{listed}\n"
    )
    return found


def _short(space: ModuleType) -> str:
    return space.__name__.rpartition(".")[2]


def _page(space: ModuleType) -> str:
    name = space.__name__
    described = public.everything()[name]
    blocks = [
        name,
        "=" * len(name),
        "",
        to_rst(inspect.getdoc(space) or ""),
        "",
        f".. py:module:: {name}",
        "   :no-index-entry:",
        "",
    ]
    if elsewhere := {
        n: home for n, home in public.homes().items() if n.rpartition(".")[0] == name and home != n
    }:
        blocks += ["Names of its namespaces that are also names of its own:", ""]
        blocks += [f"- :py:obj:`{n} <{home}>`: {_first(home)}" for n, home in elsewhere.items()]
    blocks += [line for one in described for line in _entry(one)]
    return "\n".join(blocks) + "\n"


def _first(home: str) -> str:
    """The first sentence of a docstring."""
    [doc] = [p.doc for names in public.everything().values() for p in names if p.name == home]
    return to_rst(doc.partition("\n\n")[0].replace("\n", " "))


def _entry(one: Public) -> list[str]:
    if one.is_plain:
        return [
            "",
            f".. py:data:: {one.name.rpartition('.')[2]}",
            "",
            *("   " + line for line in to_rst(one.doc).split("\n")),
            "",
        ]
    if inspect.isclass(one.value):
        return ["", f".. autoclass:: {one.name}", "   :members:", "   :inherited-members:", ""]
    return ["", f".. autofunction:: {one.name}", ""]
