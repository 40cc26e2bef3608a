"""Checkpoints of a run in progress: written whole or not at all, so that a full disk or a kill loses nothing."""

import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PreTrainedConfig

_PREFIX = "checkpoint-"


class CheckpointError(OSError):
    """A checkpoint could not be written; the one before it still stands."""


def save_checkpoint(
    run_dir: Path, step: int, models: Mapping[str, Any], tensors: dict, state: dict, keep: int = 2
) -> Path:
    """Write `run_dir/checkpoint-<step>` by way of a temporary folder and a rename.

    Args:
        run_dir: of the run.
        step: updates done.
        models: name -> `PreTrainedModel` or `ModelMixin`, each saved as safetensors in a folder of that name.
        tensors: optimizer states, for `torch.save`.
        state: what JSON can hold.
        keep: newest checkpoints that stay.

    Raises:
        CheckpointError: the disk is full or not writable.
    """
    final = run_dir / f"{_PREFIX}{step:08d}"
    partial = final.with_suffix(".part")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, model in models.items():
            save_model(model, partial / name)
        torch.save(tensors, buffer := io.BytesIO())  # written by Python, whose error says that the disk is full
        (partial / "optimizers.pt").write_bytes(buffer.getbuffer())
        write_text(partial / "state.json", json.dumps({"step": step, **state}, indent=1))
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)
    except Exception as error:  # safetensors and torch wrap a full disk in errors of their own
        shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(f"could not write {final}: {error}; the last good checkpoint still stands") from error
    for old in checkpoints(run_dir)[:-keep]:
        shutil.rmtree(old)
    return final


def save_model(model: Any, folder: Path) -> None:
    """Write configuration and weights of a `PreTrainedModel` or `ModelMixin` for `from_pretrained`, from any process.

    `save_pretrained` writes nothing in a process of rank above 0, and here such processes train models of their own.
    """
    if diffused := hasattr(model, "save_config"):  # a model of diffusers, whose files have names of their own
        model.save_config(folder)
    else:
        model.config.save_pretrained(folder)
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    file = "diffusion_pytorch_model.safetensors" if diffused else "model.safetensors"
    save_file(weights, folder / file, metadata={"format": "pt"})


def checkpoints(run_dir: Path) -> list[Path]:
    """Whole checkpoints of a run, oldest first."""
    return sorted(
        path for path in Path(run_dir).glob(f"{_PREFIX}*") if (path / "state.json").is_file() and not path.suffix
    )


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The JSON state of a checkpoint."""
    return json.loads((checkpoint / "state.json").read_text())


def shape_of(config: PreTrainedConfig) -> dict[str, Any]:
    """What of a model's configuration decides its weights; saving and versions of libraries add the rest."""
    rest = ("architectures", "auto_map", "dtype", "transformers_version")
    return {name: value for name, value in config.to_diff_dict().items() if name not in rest}


def check_settings(checkpoint: Path, state: dict[str, Any], settings: dict[str, Any]) -> None:
    """Refuse to go on with other settings than a checkpoint was made with: the run would be neither.

    Raises:
        ValueError: names what differs.
    """
    settings = json.loads(json.dumps(settings))
    made = state["settings"]
    changed = [
        f"{name} {made.get(name)!r} -> {settings.get(name)!r}"
        for name in sorted(made | settings)
        if made.get(name) != settings.get(name)
    ]
    if changed:
        raise ValueError(f"{checkpoint} was made with other settings ({', '.join(changed)}): choose another folder")


def read_tensors(checkpoint: Path) -> dict[str, Any]:
    """The optimizer states of a checkpoint, on the CPU; an optimizer moves them to where its parameters are."""
    return torch.load(checkpoint / "optimizers.pt", map_location="cpu", weights_only=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_text(text)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The JSON at `path`, made and written first where it is missing: a finished piece is never computed again."""
    if not path.is_file():
        result = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(result))
    return json.loads(path.read_text())
