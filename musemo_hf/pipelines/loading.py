"""Loading of `MusemoPipeline`: options are obeyed or refused, and a model of another kind is refused."""

import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.pipelines.generators import load_generator
from musemo_hf.pipelines.model_kind import HUB_OPTIONS
from musemo_hf.pipelines.vocoders.load import load_vocoder

INDEX = "model_index.json"
PIPELINE = "MusemoPipeline"
MODEL_OPTIONS = ("variant", "use_safetensors")
COMPONENTS = ("generator", "feature_extractor", "vocoder")
DEVICE_MAPS = ("cpu", "cuda", "balanced")  # those of diffusers; "balanced" is the GPU, as there is one network
OTHERS = ("torch_dtype", "dtype", "device_map", "trust_remote_code")


def load_components(path: str, **options: Any) -> tuple[dict[str, Any], str | None]:
    """Load the components of a pipeline, or of a generator alone with its `preprocessor_config.json`.

    Args:
        path: The folder or the repository.
        **options: The options of `MusemoPipeline.from_pretrained`.

    Returns:
        The components by name, and the device to move them to, None to leave them.

    Raises:
        TypeError: There is an unknown option, or `dtype` is not a type of torch.
        ValueError: The model is of another kind, or a value is not supported.
        OSError: A file is missing.
    """
    unknown = set(options) - {*HUB_OPTIONS, *MODEL_OPTIONS, *COMPONENTS, *OTHERS}
    if unknown:
        known = ", ".join([*HUB_OPTIONS, *MODEL_OPTIONS, *COMPONENTS, *OTHERS])
        raise TypeError(f"expected options of MusemoPipeline out of {known}, got {', '.join(sorted(unknown))}")
    device = _device(options.get("device_map"))
    hub = {name: options[name] for name in HUB_OPTIONS if name in options}
    model = {name: options[name] for name in MODEL_OPTIONS if options.get(name) is not None}
    dtype = _dtype(options, "generator")
    folders = dict.fromkeys(COMPONENTS, hub.pop("subfolder", None) or "")
    index = _read_index(path, folders["generator"], hub)
    if index is not None:
        folders = {name: "/".join(filter(None, [folder, name])) for name, folder in folders.items()}
    components = {name: options[name] for name in COMPONENTS if options.get(name) is not None}
    if "generator" not in components:
        components["generator"] = load_generator(path, subfolder=folders["generator"], dtype=dtype, **hub, **model)
    if "feature_extractor" not in components:
        extractor = MusemoFeatureExtractor.from_pretrained(path, subfolder=folders["feature_extractor"], **hub)
        components["feature_extractor"] = extractor
    if isinstance(options.get("vocoder"), (str, Path)):
        components["vocoder"] = load_vocoder(options["vocoder"], _dtype(options, "vocoder"))
    elif "vocoder" not in options and ((index or {}).get("vocoder") or [None])[0] is not None:
        hub["subfolder"] = folders["vocoder"]
        components["vocoder"] = _load_own_vocoder(path, _dtype(options, "vocoder"), model.get("variant"), hub)
    return components, device


def _load_own_vocoder(path: str, dtype: torch.dtype | None, variant: str | None, hub: dict[str, Any]) -> Any:
    """Load the vocoder of a pipeline, in the variant if it has it, as diffusers does for each component."""
    try:
        return load_vocoder(path, dtype, variant, **hub)
    except OSError:
        if variant is None:
            raise
        return load_vocoder(path, dtype, **hub)


def _device(device_map: Any) -> str | None:
    if device_map is not None and device_map not in DEVICE_MAPS:
        raise ValueError(f"expected device_map out of {', '.join(DEVICE_MAPS)}, got {device_map!r}; or use .to(device)")
    return "cuda" if device_map == "balanced" else device_map


def _dtype(options: dict[str, Any], component: str) -> torch.dtype | None:
    """Return the type of a component's weights, of `dtype` or its older name `torch_dtype`."""
    given = options.get("dtype", options.get("torch_dtype"))
    if isinstance(given, dict):  # by component, as diffusers has it
        given = given.get(component, given.get("default"))
    if given is not None and not isinstance(given, torch.dtype):
        raise TypeError(f"expected dtype to be a type such as torch.float16, got {given!r}")
    return given


def _read_index(path: str, subfolder: str, hub: dict[str, Any]) -> dict[str, Any] | None:
    """Return the components that a folder or repository of a pipeline names; None for that of a generator.

    Raises:
        ValueError: It is the pipeline of another class.
    """
    file = "/".join(filter(None, [subfolder, INDEX]))
    if Path(path).is_dir():
        local = Path(path) / file
        if not local.is_file():
            return None
    else:
        try:
            local = Path(hf_hub_download(path, file, **hub))
        except EntryNotFoundError:
            return None
    index = json.loads(local.read_text(encoding="utf-8"))
    named = index.get("_class_name")
    if (named[-1] if isinstance(named, list) and named else named) != PIPELINE:
        raise ValueError(f"expected a {PIPELINE} at {path}, got a pipeline of the class {named!r}")
    return index
