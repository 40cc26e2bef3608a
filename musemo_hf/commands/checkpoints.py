"""Loading the model of a command: a packaged checkpoint, a folder, or a repository of the Hub."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musemo_hf import MusemoFeatureExtractor, MusemoPipeline, MusemoViTForEmotionRegression
    from musemo_hf.pipelines.light_extractor import LightExtractor
    from musemo_hf.pipelines.light_recogniser import LightRecogniser

PACKAGED = ("generator", "flow", "recogniser", "recogniser-yamnet")
DEFAULTS = {"generator": "flow", "recogniser": "recogniser"}  # the flow is the better of the packaged generators


def find_checkpoint(given: str | None, name: str) -> str:
    """Return the folder or the repository of a checkpoint.

    Args:
        given: A folder, a repository as "user/name", or the name of a packaged checkpoint; None for the one that every
            command uses by default.
        name: "generator" or "recogniser".

    Raises:
        ValueError: It is neither a folder nor the name of a repository or of a packaged checkpoint.
    """
    from musemo_hf import embedded_checkpoint

    if given in (None, *PACKAGED):
        try:
            return embedded_checkpoint(given or DEFAULTS[name])
        except ValueError as error:
            raise ValueError(f"{error}; give a folder or a repository instead") from error
    is_repository_name = given.count("/") == 1 and not given.startswith((".", "/", "~")) and not given.endswith("/")
    if not Path(given).is_dir() and (Path(given).exists() or not is_repository_name):
        raise ValueError(f"expected a {name}'s folder, or its repository as user/name, found none at {given}")
    return given


def load_pipeline(given: str | None, vocoder: str | None = None) -> "MusemoPipeline":
    """Load the pipeline of a generator, on the GPU where there is one.

    Args:
        given: See `find_checkpoint`.
        vocoder: The folder or repository of a vocoder (default: that of the pipeline, else Griffin-Lim).

    Raises:
        ValueError: There is no such checkpoint (see `find_checkpoint`), or it is another kind of model.
        OSError: The folder or repository lacks a file.
    """
    from musemo_hf import MusemoPipeline

    path = find_checkpoint(given, "generator")
    _quiet()
    pipeline = MusemoPipeline.from_pretrained(path, **({} if vocoder is None else {"vocoder": vocoder}))
    pipeline.set_progress_bar_config(disable=None)  # None: where standard error is not a terminal
    return pipeline.to(_device())


def load_recogniser(given: str | None) -> "tuple[MusemoViTForEmotionRegression, MusemoFeatureExtractor]":
    """Load a recogniser of log-mels alone for evaluation, on the GPU where there is one, and its feature extractor.

    What labels or judges generated music has no external embedder: its answers would be those of the judge.

    Raises:
        ValueError: There is no such checkpoint (see `find_checkpoint`), it is another kind of model, or it has an
            external embedder.
        OSError: The folder or repository lacks a file.
    """
    model, extractor = _load_recogniser(find_checkpoint(given, "recogniser"))
    if model.config.embedder is not None:
        raise ValueError(
            f"expected a recogniser of log-mels alone, such as recogniser, got {given}, which uses the external "
            f"embedder {model.config.embedder}"
        )
    return model, extractor


def load_predictor(
    given: str | None,
) -> "tuple[MusemoViTForEmotionRegression | LightRecogniser, MusemoFeatureExtractor | LightExtractor]":
    """Load the recogniser of `musemo predict`, which may have an external embedder.

    One without a network is loaded without transformers, whose import takes as long as the answer.

    Raises:
        ValueError: As in `load_recogniser`.
        OSError: The folder or repository lacks a file, or the embedder lacks its file or its library.
    """
    from musemo_hf.pipelines.light_recogniser import load_light_recogniser

    path = find_checkpoint(given, "recogniser")
    model: MusemoViTForEmotionRegression | LightRecogniser
    extractor: MusemoFeatureExtractor | LightExtractor
    if (light := load_light_recogniser(path)) is None:
        model, extractor = _load_recogniser(path)
    else:
        from musemo_hf.pipelines.light_extractor import load_light_extractor

        model, extractor = light.to(_device()), load_light_extractor(path)
    if model.config.embedder is not None:
        from musemo_hf.pipelines.embedders.find import find_embedder

        find_embedder(model.config.embedder)  # what is missing is said once, before any song is read
    return model, extractor


def _load_recogniser(path: str) -> "tuple[MusemoViTForEmotionRegression, MusemoFeatureExtractor]":
    from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression
    from musemo_hf.pipelines.model_kind import check_kind

    _quiet()
    check_kind(path, "recogniser")
    extractor = MusemoFeatureExtractor.from_pretrained(path)
    return MusemoViTForEmotionRegression.from_pretrained(path).eval().to(_device()), extractor


def best_recogniser() -> tuple[str, str | None]:
    """Return the packaged recogniser that answers best here, and why it is not the most accurate one.

    The most accurate one is "recogniser-yamnet". It is returned where the extra `yamnet` is installed and the file of
    YAMNet is there, in the folder that MUSEMO_PRETRAINED names or in the cache of the Hub; otherwise "recogniser" is.
    Nothing is downloaded.

    Returns:
        The name of the recogniser, and what is missing with the command that gets it, or None where nothing is.

    Raises:
        PretrainedModelError: MUSEMO_PRETRAINED names a folder that does not exist.
    """
    from importlib.util import find_spec

    from musemo_hf.pipelines.embedders.pretrained_files import pretrained_folder
    from musemo_hf.pipelines.embedders.yamnet import YAMNET

    folder = pretrained_folder()
    is_installed = find_spec("ai_edge_litert") is not None
    # without the extra the cache of the Hub is not looked at: loading its client would only delay the answer
    is_here = YAMNET.is_here() if is_installed or folder is not None else False
    if is_installed and is_here:
        return "recogniser-yamnet", None
    commands = [] if is_installed else ["pip install 'musemo-hf[yamnet]'"]
    if folder is None:
        commands.append("musemo predict SONG --checkpoint recogniser-yamnet")  # it downloads and verifies the file
    elif not is_here:
        commands.append(f"hf download {YAMNET.repository} {YAMNET.filename} --local-dir {quote(str(folder))}")
    place = "the cache of the Hub" if folder is None else f"{folder}, which MUSEMO_PRETRAINED names"
    why = f"YAMNet's file is not in {place}" if is_installed else "the extra yamnet is not installed"
    return "recogniser", f"{why}; get it by: {' && '.join(commands)}"


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _quiet() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
