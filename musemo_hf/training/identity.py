"""What a run is: its settings, the data that it is trained on and its hardware, as a checkpoint holds them."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from musemo_hf.data.arrays import SongArrays

from .checkpoint import OLDER, read_state
from .clips import Clips
from .configuration import DataSettings

logger = logging.getLogger(__name__)
FREE = ("log_every", "checkpoint_every", "data.sketch")  # what does not change the result
# Log-mels of two processors differ by about 1e-6 of their deviation, and so do sketches; those of 1,300 songs of which
# one is another differ by about 0.03.
SAME_SKETCH = 1e-4


def origin_of(songs: SongArrays, settings: DataSettings, held_out: int | None) -> dict[str, Any]:
    """Return where the clips of a run come from, for `data_identity`.

    Args:
        songs: The training songs.
        settings: The settings that chose them.
        held_out: The fold that was left out; None if none was.
    """
    return {**asdict(settings), "songs": hash_of(songs.song_id), "held_out_fold": held_out}


def data_identity(
    clips: Clips, label_deviation: Tensor | None = None, origin: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what tells the data of a run from other data: hashes of all values, and where they come from.

    Args:
        clips: The training clips.
        label_deviation: The deviations of the raters, where they are trained on.
        origin: What `origin_of` returned, so that a difference has a name. With it comes a sketch of the spectrograms,
            so that a run can go on where another processor computed them with other rounding.
    """
    deviation = {} if label_deviation is None else {"label_deviations": hash_of(label_deviation)}
    values = {"spectrograms": hash_of(clips.spectrogram), "emotions": hash_of(clips.emotion)}
    named = {} if origin is None else {**origin, "sketch": sketch_of(clips.spectrogram)}
    return {"n_clips": len(clips), **values, **deviation, **named}


def sketch_of(spectrogram: Tensor) -> list[float]:
    """Return eight projections of all values `(N, ...)` on random signs, in units of one value's deviation."""
    clips = spectrogram.detach().cpu().numpy().reshape(len(spectrogram), -1)
    random = np.random.default_rng(0)
    cells, order = (random.choice((-1.0, 1.0), (8, size)).astype(np.float32) for size in clips.shape[::-1])
    return [round(float(each), 7) for each in ((clips @ cells.T).astype(np.float64) * order.T).sum(0) / clips.size**0.5]


def hash_of(values: Tensor | np.ndarray) -> str:
    """Return the first 16 digits of the SHA-256 of an array: its type, its shape and its values."""
    array = np.ascontiguousarray(values.detach().cpu().numpy() if isinstance(values, Tensor) else values)
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.data)
    return digest.hexdigest()[:16]


def hardware_of(device: torch.device, processes: int) -> dict[str, Any]:
    """Return the hardware that a run is on; the same updates give slightly other numbers on another."""
    name = f"{device.type} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
    return {"device": name, "processes": processes}


def check_settings(checkpoint: Path, settings: dict[str, Any], accept_other: bool = False) -> None:
    """Refuse to resume a checkpoint with other settings or other data than it was made with: the run would be neither.

    Args:
        checkpoint: The checkpoint.
        settings: The settings of the run that is to go on, with the identity of its data.
        accept_other: Whether spectrograms that differ by rounding are accepted, which another processor computes.

    Raises:
        ValueError: The settings or the data differ; the message names what.
    """
    made = read_state(checkpoint)["settings"]
    if "data" not in made:
        raise ValueError(f"{checkpoint} {OLDER}")
    changed = _differences(_flat(made), _flat(json.loads(json.dumps(settings))))
    if list(changed) == ["data.spectrograms"] and _differ_by_rounding(made["data"], settings["data"]):
        if not accept_other:
            raise ValueError(
                f"{checkpoint} was made with the same songs, whose spectrograms differ by rounding, as another "
                "processor computes them: choose another folder, or accept it with --accept-other-hardware"
            )
        logger.warning("%s was made with spectrograms of other rounding, which was accepted", checkpoint)
    elif changed:
        kinds = {"data" if name.startswith("data.") else "settings" for name in changed}
        what = ", ".join(f"{name.removeprefix('data.')} {values}" for name, values in changed.items())
        raise ValueError(
            f"{checkpoint} was made with other {' and '.join(sorted(kinds))} ({what}): choose another folder"
        )


def check_hardware(checkpoint: Path, hardware: dict[str, Any], accept_other: bool) -> list[dict[str, Any]]:
    """Refuse to resume a checkpoint on other hardware, unless that is accepted.

    Args:
        checkpoint: The checkpoint.
        hardware: What `hardware_of` returns.
        accept_other: Whether to go on if the hardware differs.

    Returns:
        The hardware of all parts of the run, each with the `step` at which it began.

    Raises:
        ValueError: The hardware differs, and that is not accepted.
    """
    state = read_state(checkpoint)
    parts: list[dict[str, Any]] = state["hardware"]
    changed = _differences({**parts[-1], "step": None}, {**hardware, "step": None})
    if not changed:
        return parts
    what = ", ".join(f"{name} {values}" for name, values in changed.items())
    if not accept_other:
        raise ValueError(
            f"{checkpoint} was made on other hardware ({what}), which gives slightly other numbers: choose another "
            "folder, or accept it with --accept-other-hardware, which is recorded"
        )
    logger.warning("%s was made on other hardware (%s), which was accepted and is recorded", checkpoint, what)
    return [*parts, {**hardware, "step": state["step"]}]


def _differ_by_rounding(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether the sketches of two data identities agree; False where one has none."""
    one, other = made.get("sketch"), wanted.get("sketch")
    return one is not None and other is not None and bool(np.abs(np.subtract(one, other)).max() <= SAME_SKETCH)


def _differences(made: dict[str, Any], wanted: dict[str, Any]) -> dict[str, str]:
    """Return name -> "former value -> new value" of all names that differ."""
    names = sorted(made | wanted)
    return {n: f"{made.get(n)!r} -> {wanted.get(n)!r}" for n in names if n not in FREE and made.get(n) != wanted.get(n)}


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by their path, such as "data.held_out_fold"."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        flat |= _flat(value, f"{path}.") if isinstance(value, dict) and value else {path: value}
    return flat
