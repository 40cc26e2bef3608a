"""Loading the model of a command: a packaged checkpoint, a folder, or a repository of the Hub."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musemo_hf import MusemoFeatureExtractor, MusemoPipeline, MusemoViTForEmotionRegression

# name -> what its configuration may be: a model_type of transformers or a class of diffusers
TYPES = {"generator": ("musemo_gan", "MusemoFlowGenerator"), "recogniser": ("musemo_vit",)}

PACKAGED = ("generator", "flow", "recogniser")


def find_checkpoint(given: str | None, name: str) -> str:
    """Return the folder or the repository of a checkpoint.

    Args:
        given: A folder, a repository as "user/name", or the name of a packaged checkpoint, by default `name`.
        name: "generator" or "recogniser".

    Raises:
        ValueError: It is neither a folder nor the name of a repository or of a packaged checkpoint.
    """
    from musemo_hf import embedded_checkpoint

    if given in (None, *PACKAGED):
        try:
            return embedded_checkpoint(given or name)
        except ValueError as error:
            raise ValueError(f"{error}; give a folder or a repository instead") from error
    is_repository_name = given.count("/") == 1 and not given.startswith((".", "/", "~")) and not given.endswith("/")
    if not Path(given).is_dir() and (Path(given).exists() or not is_repository_name):
        raise ValueError(f"expected a {name}'s folder, or its repository as user/name, found none at {given}")
    return given


def load_pipeline(given: str | None) -> "MusemoPipeline":
    """Load the pipeline of a generator, on the GPU where there is one.

    Raises:
        ValueError: There is no such checkpoint (see `find_checkpoint`), or it is another kind of model.
        OSError: The folder or repository lacks a file.
    """
    from musemo_hf import MusemoPipeline

    path = find_checkpoint(given or "flow", "generator")  # the better one of the packaged generators
    _quiet()
    if Path(path).is_dir() and not (Path(path) / "model_index.json").is_file():
        check_type(path, "generator")
    pipeline = MusemoPipeline.from_pretrained(path)
    pipeline.set_progress_bar_config(disable=None)  # None: where standard error is not a terminal
    return pipeline.to(_device())


def load_recogniser(given: str | None) -> "tuple[MusemoViTForEmotionRegression, MusemoFeatureExtractor]":
    """Load a recogniser for evaluation, on the GPU where there is one, and its feature extractor.

    Raises:
        ValueError: There is no such checkpoint (see `find_checkpoint`), or it is another kind of model.
        OSError: The folder or repository lacks a file.
    """
    from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression

    path = find_checkpoint(given, "recogniser")
    _quiet()
    check_type(path, "recogniser")
    extractor = MusemoFeatureExtractor.from_pretrained(path)
    return MusemoViTForEmotionRegression.from_pretrained(path).eval().to(_device()), extractor


def check_type(path: str, name: str) -> None:
    """Refuse a model of another kind, from which transformers would build random weights with a mere warning.

    Args:
        path: The folder or repository of a model.
        name: "generator" or "recogniser".

    Raises:
        ValueError: It is another kind of model.
        OSError: There is no configuration.
    """
    from transformers import PreTrainedConfig

    config = PreTrainedConfig.get_config_dict(path)[0]
    found = config.get("model_type") or config.get("_class_name")
    if found not in TYPES[name]:
        raise ValueError(f"expected a {name} ({' or '.join(TYPES[name])}) at {path}, got {found!r}")


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _quiet() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
