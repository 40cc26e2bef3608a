"""Where a command's model comes from: the packaged checkpoint, a folder, or a repository of the Hub."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musemo_hf import MusemoFeatureExtractor, MusemoPipeline, MusemoViTForEmotionRegression

# name -> what its configuration may be: a model_type of transformers, or a class of diffusers
TYPES = {"generator": ("musemo_gan", "MusemoFlowGenerator"), "recogniser": ("musemo_vit",)}


PACKAGED = ("generator", "flow", "recogniser")


def find_checkpoint(given: str | None, name: str) -> str:
    """The folder or repository of a checkpoint.

    Args:
        given: a folder, a repository as "user/name", or the name of a packaged checkpoint; `name`'s own where None.
        name: "generator" or "recogniser".

    Raises:
        ValueError: there is no such folder, nothing like a repository's name, or no packaged checkpoint.
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
    """The pipeline of a generator, on the GPU where there is one.

    Raises:
        ValueError: see `find_checkpoint`; or another kind of model.
        OSError: the folder or repository lacks a file.
    """
    from musemo_hf import MusemoPipeline

    path = find_checkpoint(given or "flow", "generator")  # of the packaged generators the better one
    _quiet()
    if Path(path).is_dir() and not (Path(path) / "model_index.json").is_file():
        check_type(path, "generator")
    pipeline = MusemoPipeline.from_pretrained(path)
    pipeline.set_progress_bar_config(disable=None)  # where standard error is no terminal
    return pipeline.to(_device())


def load_recogniser(given: str | None) -> "tuple[MusemoViTForEmotionRegression, MusemoFeatureExtractor]":
    """A recogniser, evaluating, on the GPU where there is one, and its feature extractor.

    Raises:
        ValueError: see `find_checkpoint`; or another kind of model.
        OSError: the folder or repository lacks a file.
    """
    from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression

    path = find_checkpoint(given, "recogniser")
    _quiet()
    check_type(path, "recogniser")
    extractor = MusemoFeatureExtractor.from_pretrained(path)
    return MusemoViTForEmotionRegression.from_pretrained(path).eval().to(_device()), extractor


def check_type(path: str, name: str) -> None:
    """From a configuration of another kind, transformers builds a network with random weights, and only warns.

    Args:
        path: folder or repository of one model.
        name: "generator" or "recogniser".

    Raises:
        ValueError: another kind of model.
        OSError: there is no configuration.
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
