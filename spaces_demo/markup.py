"""HTML and SVG of the page from `templates/`, with all values escaped."""

import base64
import io
from pathlib import Path

import jinja2
from PIL import Image

ASSETS = Path(__file__).parent / "assets"

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def signed(value: float) -> str:
    """Format a coordinate of the plane with its sign (a true minus) and two digits."""
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def clock(seconds: float) -> str:
    """Format a time as minutes and seconds, such as 3:07."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


_ENVIRONMENT.filters |= {"signed": signed, "clock": clock}


def render(template: str, **values: object) -> str:
    """Render a template.

    Args:
        template: The file in `templates/`.
        **values: The values that the template names.

    Raises:
        jinja2.UndefinedError: A value is missing.
    """
    return _ENVIRONMENT.get_template(template).render(**values)


def asset(name: str) -> str:
    """Return the text of a file in `assets/`."""
    return (ASSETS / name).read_text(encoding="utf-8")


def to_png(picture: Image.Image) -> bytes:
    """Return a picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def data_uri(content: bytes, mime: str) -> str:
    """Return the content of a file as an address that holds it."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
