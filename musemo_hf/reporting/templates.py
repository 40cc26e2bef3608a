"""The templates of every page and card, filled by one jinja environment."""

import re
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


# a bracket alone, as of an interval, makes no link: only one with an address or a definition after it does
_MARKDOWN = re.compile(r"[\\`*|~]|\](?=[(\[:])|(?<!\w)_|_(?!\w)|^(?:#|[-+=>])(?=[#\s=>-]|$)")


def plain(value: object) -> str:
    """Write a value as one line of Markdown that shows it as it is, without markup, links, HTML or cells of a table."""
    line = " ".join(str(value).split())
    return _MARKDOWN.sub(r"\\\g<0>", line).replace("<", "&lt;")


def fenced(value: object) -> str:
    """Write a value as one line that cannot end the fenced block of code that it stands in."""
    return " ".join(str(value).replace("```", "` ` `").split())


_ENVIRONMENT.filters |= {"plain": plain, "fenced": fenced}


def render(template: str, **context: Any) -> str:
    """Fill a template of `reporting/templates/` or `hub_cards/`; values are escaped in HTML.

    Markdown escapes a value where its template says `| plain`: text that comes from reports, songs and folders.

    Raises:
        jinja2.UndefinedError: The template uses a name that is not in the context.
    """
    return _ENVIRONMENT.get_template(template).render(**context)
