"""ZeroGPU where there is one: `spaces` is installed on Hugging Face's GPU Spaces, and nowhere else."""

from collections.abc import Callable
from typing import Any

try:  # before torch, which `spaces` patches so that a GPU is there only while a decorated function runs
    import spaces
except ImportError:
    spaces = None


def on_gpu(seconds: int) -> Callable[[Callable], Callable]:
    """Decorator: the function runs with a GPU on ZeroGPU, and as it is elsewhere.

    Args:
        seconds: the longest that it may take there.
    """

    def unchanged(function: Callable) -> Callable:
        return function

    decorate: Any = unchanged if spaces is None else spaces.GPU(duration=seconds)
    return decorate
