"""Formulas as MathML, which browsers draw themselves: no script, no request, and a font that the site brings along."""

import logging
import re
from pathlib import Path

import ziamath
from docutils import nodes
from fontTools.subset import Options, Subsetter, load_font, save_font
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

FONT = Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"
"""STIX Two Math (SIL Open Font License); the site takes the letters below, a thirtieth of it."""

LETTERS = [
    *range(0x20, 0x7F),
    *range(0x391, 0x3D7),  # Greek
    *(0xB1, 0xB7, 0xD7, 0x2016, 0x2026, 0x2032, 0x210E, 0x22A4, 0x22C5, 0x22EF, 0x27E8, 0x27E9),
    *range(0x2190, 0x2195),  # arrows
    *range(0x2200, 0x2270),  # operators
    *range(0x1D434, 0x1D468),  # italic, which single letters become
    *range(0x1D49C, 0x1D4B6),  # script
    *range(0x1D6E2, 0x1D71C),  # italic Greek
]

NORM = re.compile(r'<mo stretchy="true"(?= fence="true" form="\w+">&#x0(?:2016|007C);)')
"""A bar or two, which grow over the line where what they hold has a prime."""

FUNCTION = re.compile(r"(</m(?!o>)\w+>)(<mi>(?:cos|sin|exp)</mi>)")
"""A function behind a factor: TeX leaves some space between them."""

SIGN = re.compile(
    r"(<mo[^>]*>&#x0(?:0028|002C);</mo>|<mo[^>]*form=\"prefix\">[^<]*</mo>)<mo>&#x02212;</mo>"
)
"""A minus behind a bracket or a comma, which is a sign: no space behind it."""


def mathml(node: nodes.math | nodes.math_block, display: str) -> str:
    """The formula as browsers take it.

    In a line of Markdown it stands between a dollar with a backtick and a backtick with a dollar: so GitHub takes it
    next to any letter, Korean ones included.

    Raises:
        ValueError: It has a command that is not known.
    """
    made = convert(node.astext().strip("`\n"), display=display)
    if "\\" in made or "&#x0005C;" in made:
        raise ValueError(
            f"`{node.astext()}`: a command that latex2mathml does not know. Write it with others."
        )
    made = made.replace("<mo>&#x0002F;</mo>", '<mo lspace="0" rspace="0">/</mo>')
    made = SIGN.sub(r'\1<mo form="prefix">&#x02212;</mo>', made)
    made = NORM.sub(r'<mo stretchy="false"', made)
    return FUNCTION.sub(r'\1<mspace width="0.167em" />\2', made)


def inline(translator: HTML5Translator, node: nodes.math) -> None:
    """A formula in a line of text.

    Raises:
        nodes.SkipNode: Always: there is nothing below it.
    """
    translator.body.append(mathml(node, "inline"))
    raise nodes.SkipNode


def block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """A formula on its own, which scrolls where the page is narrower.

    Raises:
        nodes.SkipNode: Always: there is nothing below it.
    """
    translator.body.append(f'<div class="formula">{mathml(node, "block")}</div>\n')
    raise nodes.SkipNode


def write_font(app: Sphinx, fault: Exception | None) -> None:
    """The letters of the font that formulas use."""
    target = Path(app.outdir) / "_static" / "formulas.woff"
    if fault or target.exists():
        return
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = Options(flavor="woff", layout_features=[], hinting=False, name_IDs=["*"])
    font = load_font(str(FONT), options)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=LETTERS)
    subsetter.subset(font)
    save_font(font, str(target), options)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Registers the renderer, which `html_math_renderer` names."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(inline, None), block_renderers=(block, None)
    )
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
