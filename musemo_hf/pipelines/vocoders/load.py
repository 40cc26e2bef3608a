"""Loading of vocoders: our own, a SpeechT5HifiGan of transformers, as in AudioLDM's pipelines, or a BigVGAN."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from transformers import SpeechT5HifiGan

from musemo_hf.audio.verification import check_values
from musemo_hf.audio.vocoder_grid import grid_of
from musemo_hf.models.vocoder import MusemoVocoder

CONFIG = "config.json"
BIGVGAN_WEIGHTS = "bigvgan_generator.pt"
SUBFOLDER = "vocoder"  # of a pipeline of diffusers


def load_vocoder(path: str | Path, dtype: torch.dtype | None = None, variant: str | None = None, **hub: Any) -> Any:
    """Load a vocoder, or that of a pipeline such as AudioLDM's.

    Args:
        path: The folder or the repository of a `MusemoVocoder`, of a `SpeechT5HifiGan`, of a BigVGAN (with the package
            `bigvgan`), or of a pipeline of diffusers with such a component.
        dtype: The type of its weights (default: as stored).
        variant: The name of the weights to load, such as "fp16", of a model of diffusers or transformers.
        **hub: Options of `hf_hub_download`, such as `revision`, `token` and `subfolder`.

    Returns:
        The vocoder, for evaluation.

    Raises:
        ValueError: It is another model, its weights are incomplete or not finite, or its grid is unknown.
        OSError: There is no configuration, or there are no weights.
        ImportError: It is a BigVGAN, and the package is missing.
    """
    config, subfolder = _configuration(str(path), hub)
    hub = {name: value for name, value in hub.items() if name != "subfolder"}
    try:
        if config.get("_class_name") == MusemoVocoder.__name__:
            vocoder = _load_own(str(path), subfolder, dtype, hub | {"variant": variant})
        elif config.get("model_type") == "speecht5_hifigan":
            vocoder = _load_hifigan(str(path), subfolder, dtype, hub | {"variant": variant})
        elif {"num_mels", "upsample_rates", "activation"} <= set(config):
            vocoder = _load_bigvgan(str(path), subfolder, dtype, hub, config)
        else:
            found = config.get("model_type") or config.get("_class_name")
            raise ValueError(f"expected a vocoder (MusemoVocoder, SpeechT5HifiGan or BigVGAN) at {path}, got {found!r}")
    except OSError as error:
        raise OSError(f"expected the weights of a vocoder at {path}: {_first_line(error)}") from error
    check_values(path, vocoder)
    grid_of(vocoder)
    return vocoder.eval()


def _configuration(path: str, hub: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the configuration of a vocoder, and the subfolder that it is in."""
    given = hub.get("subfolder") or ""
    hub = {name: value for name, value in hub.items() if name != "subfolder"}
    for subfolder in (given, "/".join(filter(None, [given, SUBFOLDER]))):
        if (file := _file(path, "/".join(filter(None, [subfolder, CONFIG])), hub)) is not None:
            try:
                config = json.loads(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{file}: expected JSON, got: {error}") from error
            if not isinstance(config, dict):
                raise ValueError(f"{file}: expected a JSON object, got {type(config).__name__}")
            return config, subfolder
    raise OSError(f"expected a vocoder with {CONFIG} at {path} or in its folder {SUBFOLDER}, found none")


def _file(path: str, name: str, hub: dict[str, Any]) -> Path | None:
    """Return a file of a folder or repository; None where it has no such file."""
    if Path(path).is_dir():
        return Path(path) / name if (Path(path) / name).is_file() else None
    try:
        return Path(hf_hub_download(path, name, **hub))
    except EntryNotFoundError:
        return None


def _load_own(path: str, subfolder: str, dtype: torch.dtype | None, hub: dict[str, Any]) -> MusemoVocoder:
    options = hub | ({} if dtype is None else {"torch_dtype": dtype}) | ({"subfolder": subfolder} if subfolder else {})
    vocoder, info = MusemoVocoder.from_pretrained(path, output_loading_info=True, **options)
    _refuse_missing(path, info)
    return vocoder


def _load_hifigan(path: str, subfolder: str, dtype: torch.dtype | None, hub: dict[str, Any]) -> SpeechT5HifiGan:
    options = hub | ({} if dtype is None else {"dtype": dtype})
    vocoder, info = SpeechT5HifiGan.from_pretrained(path, subfolder=subfolder, output_loading_info=True, **options)
    _refuse_missing(path, info)
    return vocoder


def _refuse_missing(path: str, info: dict[str, Any]) -> None:
    if missing := sorted(info["missing_keys"]):
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        raise ValueError(f"{path}: expected all weights of a vocoder, got none of {', '.join(missing[:4])}{more}")


def _load_bigvgan(path: str, subfolder: str, dtype: torch.dtype | None, hub: dict[str, Any], config: dict) -> Any:
    """Load as BigVGAN's own code does, which calls a Hub client of version 0."""
    try:
        from bigvgan import BigVGAN
        from bigvgan.env import AttrDict
    except ImportError as error:
        raise ImportError(f"expected the package bigvgan for the vocoder {path}: pip install bigvgan") from error
    file = _file(path, "/".join(filter(None, [subfolder, BIGVGAN_WEIGHTS])), hub)
    if file is None:
        raise OSError(f"found no {BIGVGAN_WEIGHTS}")
    values = torch.load(file, map_location="cpu", weights_only=True)["generator"]
    vocoder = BigVGAN(AttrDict(config))
    if not any(name.endswith("weight_g") for name in values):
        with redirect_stdout(io.StringIO()):  # it prints
            vocoder.remove_weight_norm()
    try:
        vocoder.load_state_dict(values)
    except RuntimeError as error:
        raise ValueError(f"{path}: expected all weights of a BigVGAN and no others: {_first_line(error)}") from error
    return vocoder if dtype is None else vocoder.to(dtype)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
