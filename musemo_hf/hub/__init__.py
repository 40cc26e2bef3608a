"""Pushing models, pipeline, data set, metric and Space to the Hub, each with its card.

Every name is imported from its module when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

__all__ = [
    "HubPushError",
    "push_dataset",
    "push_folder",
    "push_generator",
    "push_metric",
    "push_pipeline",
    "push_recogniser",
    "push_space",
    "render_card",
]

if TYPE_CHECKING:
    from musemo_hf.hub.cards import render_card
    from musemo_hf.hub.data_set import push_dataset
    from musemo_hf.hub.metric import push_metric
    from musemo_hf.hub.models import push_generator, push_pipeline, push_recogniser
    from musemo_hf.hub.space import push_space
    from musemo_hf.hub.transfer import HubPushError, push_folder


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'musemo_hf.hub' has no attribute {name!r}; it exports {', '.join(_EXPORTS)}")
    return getattr(import_module(f"musemo_hf.hub.{_EXPORTS[name]}"), name)
