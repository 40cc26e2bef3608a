"""The external figures of a quality report, from the features that the caller of the metric gives."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from .external_figures import external_figures

REQUIRED = ("reference", "candidate", "noises")
OPTIONS = tuple(name for name in inspect.signature(external_figures).parameters if name not in REQUIRED)
MISSING = (
    "not computed, though it decides: a generator can be built from the statistics that the other figures measure; "
    "give compute(external=...) the features of the same clips as sound (docs/how-to/external-embedder.md), or use "
    "`musemo score`"
)


def external_answer(external: Any, confidence: float | None, n_resamples: int, seed: int) -> dict[str, Any]:
    """Compute the part of a quality report that is measured in an external space.

    Args:
        external: The arguments of `external_figures` by name, and "embedder", the name of the embedder.
        confidence: The confidence level of the intervals, unless `external` has its own; None for no intervals.
        n_resamples: The number of bootstrap draws, unless `external` has its own.
        seed: The seed, unless `external` has its own.

    Returns:
        The answer of `external_figures`, with `external_embedder`.

    Raises:
        ValueError: `external` is no dict, lacks a key or has an unknown one; or see `external_figures`.
    """
    given = dict(checked_external(external))
    embedder = given.pop("embedder", None)
    options = {"confidence": confidence, "n_resamples": n_resamples, "seed": seed} | given
    wanted = options["confidence"]
    found = external_figures(**options | {"confidence": 0.95 if wanted is None else wanted})
    if wanted is None:
        found = {name: value for name, value in found.items() if not name.endswith("_interval")}
    return found | {"external_embedder": embedder}


def checked_external(external: Any) -> Mapping[str, Any]:
    """Return the argument `external` of the metric if it has the keys that are needed, and no others.

    Raises:
        ValueError: It is no dict, lacks a key or has an unknown one.
    """
    keys = f"{', '.join(REQUIRED)}, and perhaps {', '.join((*OPTIONS, 'embedder'))}"
    if not isinstance(external, Mapping):
        raise ValueError(f"expected external as a dict with {keys}, got {type(external).__name__}")
    missing = [name for name in REQUIRED if name not in external]
    unknown = [repr(name) for name in external if name not in (*REQUIRED, *OPTIONS, "embedder")]
    if missing or unknown:
        got = [*([f"none of {', '.join(missing)}"] if missing else []), *unknown]
        raise ValueError(f"expected external as a dict with {keys}, got {', '.join(got)}")
    return external
