"""The kind of a checkpoint, read from its configuration before any weight is loaded."""

import json
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError

Kind = Literal["generator", "recogniser"]

HUB_OPTIONS = ("revision", "token", "cache_dir", "local_files_only", "force_download", "subfolder")
# kind -> what its configuration names: a model_type of transformers or a class of diffusers
TYPES: dict[Kind, tuple[str, ...]] = {
    "generator": ("musemo_gan", "MusemoFlowGenerator", "MusemoUNetGenerator"),
    "recogniser": ("musemo_vit",),
}
GENERATORS = ("MusemoGanGenerator", "MusemoFlowGenerator", "MusemoUNetGenerator")


def check_kind(path: str | Path, kind: Kind, **hub: Any) -> str:
    """Refuse a model of another kind, from which transformers would build random weights with a mere warning.

    Args:
        path: The folder or the repository of a model.
        kind: The kind that is expected.
        **hub: Options of `hf_hub_download`, such as `revision`, `token` and `subfolder`.

    Returns:
        The `model_type` of transformers, or the class of diffusers, that the configuration names.

    Raises:
        ValueError: It is another kind of model, or the configuration is not JSON.
        OSError: There is no configuration.
    """
    config = read_configuration(path, **hub)
    found = config.get("_class_name") or config.get("model_type")
    part = config.get("architectures") or GENERATORS
    if found not in TYPES[kind]:
        raise ValueError(f"expected a {kind} ({' or '.join(TYPES[kind])}) at {path}, got {found!r}")
    if kind == "generator" and not set(part) & set(GENERATORS):  # a discriminator has a generator's configuration
        raise ValueError(f"expected a {kind} at {path}, got {', '.join(part)}")
    return found


def read_configuration(path: str | Path, **hub: Any) -> dict[str, Any]:
    """Read the `config.json` of a model.

    Args:
        path: The folder or the repository of a model.
        **hub: Options of `hf_hub_download`, such as `revision`, `token` and `subfolder`.

    Raises:
        ValueError: It is not a JSON object.
        OSError: There is none.
    """
    name = "config.json"
    if Path(path).is_dir():
        file = Path(path) / (hub.get("subfolder") or "") / name
    else:
        try:
            file = Path(hf_hub_download(str(path), name, **hub))
        except EntryNotFoundError as error:
            raise OSError(f"expected a model with {name} at {path}, found none: {error}") from error
    if not file.is_file():
        raise OSError(f"expected a model with {name} at {file.parent}, found none")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: expected JSON, got: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{file}: expected a JSON object, got {type(config).__name__}")
    return config
