"""The templates of every page and card, filled by one jinja environment."""

from pathlib import Path
from typing import Any

import jinja2

PACKAGE = Path(__file__).resolve().parent.parent
FOLDERS = (PACKAGE / "reporting" / "templates", PACKAGE / "hub_cards")

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDERS),
    undefined=jinja2.StrictUndefined,
    autoescape=jinja2.select_autoescape(("html.jinja",)),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(template: str, **context: Any) -> str:
    """Fill a template of `reporting/templates/` or `hub_cards/`; values are escaped in HTML and not in Markdown.

    Raises:
        jinja2.UndefinedError: The template uses a name that is not in the context.
    """
    return _ENVIRONMENT.get_template(template).render(**context)
