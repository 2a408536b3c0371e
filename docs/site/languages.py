"""Korean pages say that they are Korean: browsers and screen readers go by the page's language."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata


def set_language(
    app: Sphinx,
    page: str,
    template: str,
    context: dict[str, object],
    doctree: nodes.document | None,
) -> None:
    """The theme writes `language` into the page's first tag."""
    del app, template, doctree
    if page.startswith("ko/"):
        context["language"] = "ko"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Listens for each page that is written."""
    app.connect("html-page-context", set_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
