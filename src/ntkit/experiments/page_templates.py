"""The templates of pages that runs and tables write."""

import jinja2

__all__ = ["page_templates"]


def page_templates() -> jinja2.Environment:
    """What is put into them is escaped, and a name that they lack is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("ntkit.experiments", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
