"""Functions that make embedders when they are first asked for.

This module loads nothing, so that the package can name the embedders of its other parts here when it is imported: the
evaluation knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FACTORIES: dict[str, Callable[[], Any]] = {}  # versioned name -> the function that makes the `Embedder`
SHORT_NAMES: dict[str, str] = {}  # a name without a version -> the versioned name
