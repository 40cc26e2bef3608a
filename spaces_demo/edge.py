"""The edge of the page: every wrong argument and every failure of a call is answered with a sentence."""

import inspect
import logging
from typing import Any

import gradio as gr

log = logging.getLogger("musemo.space")

CPU = {"concurrency_id": "models", "concurrency_limit": 2}  # at most two computations at once; the others queue
PRIVATE = {"api_visibility": "private"}


class Page(gr.Blocks):
    """Blocks whose calls check the types of their arguments, and end in a message instead of none."""

    async def process_api(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Check the arguments of a call, and run it.

        Raises:
            gradio.Error: An argument has another type, or the call failed; the message says what to do.
        """
        try:
            function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
            inputs = with_optional(function, inputs)
            check_arguments(function, inputs)
            return await super().process_api(block_fn, inputs, *args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            log.exception("a call failed")
            raise gr.Error(
                f"The page could not answer this call ({type(error).__name__}). Another song or setting may work."
            ) from error


def with_optional(block_fn: Any, inputs: Any) -> Any:
    """Return the arguments of a call, with None for those at the end that are missing and may be left out."""
    if not isinstance(inputs, list) or not _least(block_fn) <= len(inputs) < len(block_fn.inputs):
        return inputs
    return inputs + [None] * (len(block_fn.inputs) - len(inputs))


def _least(block_fn: Any) -> int:
    """Return how many arguments a call needs: in a named endpoint, those whose default is None may be left out."""
    if block_fn.api_visibility != "public" or block_fn.fn is None:
        return len(block_fn.inputs)
    optional = [each for each in inspect.signature(block_fn.fn).parameters.values() if each.default is None]
    return len(block_fn.inputs) - len(optional)


def check_arguments(block_fn: Any, inputs: Any) -> None:
    """Check that the arguments of a call have the types of its components.

    Raises:
        gradio.Error: There are more or fewer arguments, or one has another type.
    """
    expected = block_fn.inputs
    if not isinstance(inputs, list) or len(inputs) != len(expected):
        got = len(inputs) if isinstance(inputs, list) else type(inputs).__name__
        least = f"{_least(block_fn)} to " if _least(block_fn) < len(expected) else ""
        raise gr.Error(f"Expected {least}{len(expected)} arguments, got {got}.")
    for component, value in zip(expected, inputs, strict=True):
        if isinstance(component, (gr.Slider, gr.Number)):
            _check_number(component, value)
        elif isinstance(component, (gr.Audio, gr.File)):
            _check_file(component, value)


def _check_number(component: Any, value: Any) -> None:
    if value is None and isinstance(component, gr.Number):
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise gr.Error(f"Expected {component.label.lower()} as a number, got {_shown(value)}.")


def _check_file(component: Any, value: Any) -> None:
    if value is None:
        return
    path = value.get("path") if isinstance(value, dict) else None
    if not isinstance(path, str):
        raise gr.Error(f"Expected an uploaded file, as {{'path': ...}}, got {_shown(value)}.")
    if path.startswith(("http://", "https://")):
        raise gr.Error("Expected an uploaded file, got an address: this page fetches nothing from other servers.")


def _shown(value: Any) -> str:
    text = f"{value!r:.40}" if isinstance(value, (str, float)) else str(value) if value is None else ""
    return f"{text} ({type(value).__name__})" if text else type(value).__name__
