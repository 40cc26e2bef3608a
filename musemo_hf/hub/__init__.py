"""Pushing models, pipeline, data set, metric and Space to the Hub, each with its card.

Every name is imported from its module when it is first used.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "push_generator": "models",
    "push_recogniser": "models",
    "push_pipeline": "models",
    "push_dataset": "data_set",
    "push_metric": "metric",
    "push_space": "space",
    "push_folder": "transfer",
    "HubPushError": "transfer",
    "render_card": "cards",
}

__all__ = [*_EXPORTS]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'musemo_hf.hub' has no attribute {name!r}; it exports {', '.join(_EXPORTS)}")
    return getattr(import_module(f"musemo_hf.hub.{_EXPORTS[name]}"), name)
