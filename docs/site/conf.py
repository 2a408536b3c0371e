"""Settings of Sphinx; `build.py` lays out the pages that it reads."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from public import NOT_NEEDED

project = "ntkit"
author = "The ntkit authors"
project_copyright = author
release = version = version_of("ntkit")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "docstrings",
    "formulas",
    "languages",
]
suppress_warnings = ["toc.empty_glob"]  # the pages that others write
exclude_patterns: list[str] = []

# A link that leads nowhere is a warning, and a warning ends the build.
nitpicky = True

myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline"]
myst_fence_as_directive = ["math"]  # as GitHub writes a formula on its own
myst_heading_anchors = 4

autodoc_mock_imports = NOT_NEEDED
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
napoleon_use_ivar = True
napoleon_custom_sections = [
    ("Returns", "plain"),
    ("Yields", "plain"),
    ("Cost", "plain"),
    ("Source", "plain"),
]

html_math_renderer = "mathml"

html_theme = "furo"
html_title = "ntkit"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_domain_indices = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
