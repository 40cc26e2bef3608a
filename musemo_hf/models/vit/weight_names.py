"""Names of weights in files, and in the installed version of transformers."""

from collections.abc import Mapping

from torch import Tensor
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming, rename_source_key


def with_current_names(model: PreTrainedModel, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights under a model's own names.

    `save_pretrained` gives a ViT's weights the names of earlier versions, and `from_pretrained` renames them.

    Args:
        model: The model.
        state: Weights under the model's names, or under those of a file.
    """
    own = model.state_dict().keys()
    renamings = [each for each in get_model_conversion_mapping(model) if isinstance(each, WeightRenaming)]
    return {name if name in own else rename_source_key(name, renamings, [])[0]: value for name, value in state.items()}
