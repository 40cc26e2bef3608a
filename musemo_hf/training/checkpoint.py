"""Checkpoints of a run in progress: named objects, written whole or not at all."""

import io
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel
from transformers import PreTrainedConfig

from musemo_hf.audio.verification import WEIGHTS, DamagedFileError, verify_checksums, write_checksums
from musemo_hf.files import atomic_folder, atomic_write

logger = logging.getLogger(__name__)
_PREFIX = "checkpoint-"
_STATES = "objects.pt"  # states of all objects that are not models
OLDER = "was made by an older version and cannot be resumed: choose another folder"


class CheckpointError(OSError):
    """A checkpoint could not be written, or none of a run is whole."""


def save_checkpoint(run_dir: Path, step: int, objects: Mapping[str, Any], state: dict, keep: int = 2) -> Path:
    """Write the folder `run_dir/checkpoint-<step>`, whole or not at all.

    Args:
        run_dir: The folder of the run, in which only one process saves.
        step: The number of updates that have been made.
        objects: What `load_checkpoint` restores, by name. A model that has `save_pretrained` is written to a folder of
            its name for `from_pretrained`, and so is the model inside an `AveragedModel`. Of any other object the
            `state_dict()` is written.
        state: Further values that JSON can hold.
        keep: The number of newest checkpoints that are kept.

    Raises:
        CheckpointError: The disk is full or not writable.
    """
    final = run_dir / f"{_PREFIX}{step:08d}"
    try:
        with atomic_folder(final) as partial:
            states: dict[str, Any] = {}
            for name, value in objects.items():
                if isinstance(value, AveragedModel):
                    states[name] = {"n_averaged": value.n_averaged}
                    value = value.module
                if hasattr(value, "save_pretrained"):
                    save_model(value, partial / name)
                else:
                    states[name] = value.state_dict()
            torch.save(states, buffer := io.BytesIO())  # written by Python, whose error says that the disk is full
            (partial / _STATES).write_bytes(buffer.getbuffer())
            atomic_write(partial / "state.json", json.dumps({"step": step, **state}, indent=1))
            write_checksums(partial)
    except Exception as error:  # safetensors and torch wrap a full disk in errors of their own
        raise CheckpointError(f"could not write {final}: {error}; the last good checkpoint still stands") from error
    for stale in run_dir.glob(f"{_PREFIX}*.part"):
        shutil.rmtree(stale)
    for old in checkpoints(run_dir)[:-keep]:
        shutil.rmtree(old)
    return final


def load_checkpoint(checkpoint: Path, objects: Mapping[str, Any]) -> dict[str, Any]:
    """Restore the objects that `save_checkpoint` was given, in place, and return the state.

    Raises:
        ValueError: The checkpoint was written by a version of this package that wrote other files.
    """
    if not (checkpoint / _STATES).is_file():
        raise ValueError(f"{checkpoint} {OLDER}")
    states = torch.load(checkpoint / _STATES, map_location="cpu", weights_only=True)
    for name, value in objects.items():
        if isinstance(value, AveragedModel):
            value.n_averaged.copy_(states[name]["n_averaged"])
            value = value.module
        if hasattr(value, "save_pretrained"):
            (weights,) = (checkpoint / name).glob("*.safetensors")
            value.load_state_dict(load_file(weights))
        else:
            value.load_state_dict(states[name])
    return read_state(checkpoint)


def save_model(model: Any, folder: Path) -> None:
    """Write a `PreTrainedModel` or `ModelMixin` for `from_pretrained`, from a process of any rank.

    `save_pretrained` writes nothing in a process whose rank is above 0, and here such processes train models of their
    own.
    """
    if diffused := hasattr(model, "save_config"):  # a model of diffusers, whose files have names of their own
        model.save_config(folder)
    else:
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(folder)
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    file = "diffusion_pytorch_model.safetensors" if diffused else "model.safetensors"
    save_file(weights, folder / file, metadata={"format": "pt"})
    write_checksums(folder, WEIGHTS)


def checkpoints(run_dir: Path) -> list[Path]:
    """Return the whole checkpoints of a run, oldest first."""
    return sorted(
        path for path in Path(run_dir).glob(f"{_PREFIX}*") if (path / "state.json").is_file() and not path.suffix
    )


def step_of(checkpoint: Path) -> int:
    """Return the number of updates before a checkpoint, which its name ends with."""
    return int(checkpoint.name.removeprefix(_PREFIX))


def newest_whole(run_dir: Path) -> Path | None:
    """Return the newest checkpoint of a run whose files are those that were saved; None if there is no checkpoint.

    Raises:
        CheckpointError: There are checkpoints, and all of them are damaged.
        ValueError: A checkpoint was written by a version of this package that wrote no checksums.
    """
    found = checkpoints(run_dir)
    for checkpoint in reversed(found):
        try:
            if not verify_checksums(checkpoint):
                raise ValueError(f"{checkpoint} {OLDER}")
            return checkpoint
        except DamagedFileError as error:
            logger.warning("%s is damaged and is skipped: %s", checkpoint, error)
    if found:
        raise CheckpointError(f"all {len(found)} checkpoints in {run_dir} are damaged: remove them to begin again")
    return None


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Return the JSON state of a checkpoint."""
    return json.loads((checkpoint / "state.json").read_text())


def shape_of(config: PreTrainedConfig) -> dict[str, Any]:
    """Return the values of a model's configuration that decide its weights.

    Saving and the versions of libraries add others.
    """
    rest = ("architectures", "auto_map", "dtype", "transformers_version")
    return {name: value for name, value in config.to_diff_dict().items() if name not in rest}
