"""Modules that keep their precision in a model of half precision.

The folders `flow` and `unet` link to this file of `vit`, because each folder is pushed to the Hub on its own.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

HALF = (torch.float16, torch.bfloat16)


class FullPrecision(nn.Module):
    """A module whose values are not rounded when a model is cast to float16 or bfloat16.

    Its statistics of the training songs are applied by logarithms, exponentials and differences of near values, which
    half precision does not survive. They are small beside a network. A cast to float64 is obeyed.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        def keep(value: Tensor) -> Tensor:
            moved = fn(value)
            return value.to(moved.device) if moved.dtype in HALF and moved.dtype != value.dtype else moved

        return super()._apply(keep, recurse)
