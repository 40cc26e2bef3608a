"""Loading of weights: complete, or not at all.

The folder `gan` links to this file of `vit`, because each folder is pushed to the Hub on its own.
"""

from typing import Any


class CompleteLoadingMixin:
    """Refuses a checkpoint that lacks values of the model, or that has others."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *model_args: Any, **options: Any) -> Any:
        """Load a checkpoint as transformers does, and refuse one of other values than the model's.

        With `output_loading_info=True` the missing and unexpected values are returned, and not refused.

        Raises:
            ValueError: The checkpoint lacks values, or has others, as one of another model or version.
        """
        wants_info = options.pop("output_loading_info", False)
        model, info = super().from_pretrained(  # type: ignore[misc]
            pretrained_model_name_or_path, *model_args, output_loading_info=True, **options
        )
        if pretrained_model_name_or_path is not None and not wants_info:  # without a path, the values are an argument
            source, kind = pretrained_model_name_or_path, cls.__name__
            missing, unexpected = info["missing_keys"], info["unexpected_keys"]
            if missing and not model.can_make(set(missing)):
                raise ValueError(
                    f"{source}: expected all values of a {kind}, got none of {', '.join(sorted(missing))}; "
                    "was it made by another version of musemo_hf?"
                )
            if unexpected:
                raise ValueError(
                    f"{source}: expected the values of a {kind} only, got {', '.join(sorted(unexpected))} too; "
                    "was it made by another version of musemo_hf?"
                )
        return (model, info) if wants_info else model

    def can_make(self, missing: set[str]) -> bool:
        """Return whether a model is of use when a checkpoint has all values but the missing ones, which are made new.

        Args:
            missing: The names of the missing values, at least one.
        """
        return False
