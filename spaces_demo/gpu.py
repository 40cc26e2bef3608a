"""ZeroGPU support: `spaces` is installed on Hugging Face's GPU Spaces only."""

from collections.abc import Callable
from typing import Any

try:  # before torch, which `spaces` patches so that a GPU exists only while a decorated function runs
    import spaces
except ImportError:
    spaces = None
IS_ZERO_GPU = spaces is not None


def on_gpu(seconds: int) -> Callable[[Callable], Callable]:
    """Return a decorator that runs a function with a GPU on ZeroGPU, and unchanged elsewhere.

    Args:
        seconds: The longest duration of a call on ZeroGPU.
    """
    decorate: Any = (lambda function: function) if spaces is None else spaces.GPU(duration=seconds)
    return decorate
