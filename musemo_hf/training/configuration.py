"""Configuration as data: YAML merged over defaults in one place, checked, and printed in full."""

import contextlib
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import yaml

from musemo_hf.training.flow.settings import FlowTraining
from musemo_hf.training.gan.settings import GanTraining
from musemo_hf.training.recogniser.settings import RecogniserTraining

GENERATOR_KINDS = ("gan", "flow")


@dataclass
class DataSettings:
    """Which songs.

    Attributes:
        config_name: "excerpt_10s", "excerpt_30s" or "first_30s".
        labels: "corrected" or "published" (valence and arousal of 2013 swapped, as in DEAM's file).
        n_songs: the first so many by song id, None for all; a random draw would not be the same folder to folder.
        annotation_file: "all", or "1_2000" for the songs of DEAM's first annotation file alone.
    """

    config_name: str = "excerpt_10s"
    labels: str = "corrected"
    n_songs: int | None = None
    annotation_file: str = "all"


@dataclass
class AblationPlan:
    """What `training/ablate.py` compares, and how.

    Attributes:
        protocol: "folds" (artist-disjoint folds, results out of fold over all songs), "random" (80/10/10 by song, as
            published) or "as-run" (the generator trains on all songs, and real and synthetic songs are split at random
            together).
        n_folds: The number of artist-disjoint folds.
        folds: The folds to run, None for all; fewer give an out-of-fold table over fewer songs.
        seeds: The seeds of the recognisers. The generator of a fold is trained once, with the first.
        arms: The names of arms (`experiments.ablation.arms`), "real" among them. An arm may have its own synthetic
            share after an "@": "synthetic@0.5".
        baselines: The names of baselines (`experiments.ablation.baselines`), scored in the same folds.
        generator: "gan" (section `generator`) or "flow" (section `flow`).
        synthetic_share: Synthetic clips per real one, for arms that give none; 2.3 is 3,200 / 1,395.
        emotions: "training" (density of the training labels) or "uniform" on the square, as published.
        n_resamples: The number of bootstrap resamples of artists.
        budget: The name that is printed with every table.
    """

    protocol: str = "folds"
    n_folds: int = 5
    folds: list[int] | None = None
    seeds: list[int] = field(default_factory=lambda: [0])
    arms: list[str] = field(default_factory=lambda: ["real", "synthetic"])
    baselines: list[str] = field(default_factory=list)
    generator: str = "gan"
    synthetic_share: float = 1.0
    emotions: str = "training"
    n_resamples: int = 10_000
    budget: str = "default"


@dataclass
class Configuration:
    """All of it; `generator`, `flow` and `recogniser` are arguments of `MusemoGanConfig`, `MusemoFlowGenerator` and
    `MusemoViTConfig`.
    """

    data: DataSettings = field(default_factory=DataSettings)
    generator: dict[str, Any] = field(default_factory=dict)
    gan_training: GanTraining = field(default_factory=GanTraining)
    flow: dict[str, Any] = field(default_factory=dict)
    flow_training: FlowTraining = field(default_factory=FlowTraining)
    recogniser: dict[str, Any] = field(default_factory=dict)
    recogniser_training: RecogniserTraining = field(default_factory=RecogniserTraining)
    ablation: AblationPlan = field(default_factory=AblationPlan)

    @classmethod
    def upgrade(cls, values: dict[str, Any], where: str) -> dict[str, Any]:
        """Replace former keys of a file by today's, with a warning."""
        return dict(values)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return dataclasses.asdict(self)

    def to_yaml(self) -> str:
        """As printed at the start of a run; reads back to the same."""
        plain = yaml.safe_load(yaml.safe_dump(_listed(self.to_dict())))
        return yaml.safe_dump(plain, sort_keys=False)


def load_configuration(
    path: str | Path | None = None, overrides: list[str] | None = None, defaults: Configuration | None = None
) -> Configuration:
    """YAML merged over the defaults, and `section.key=value` over that.

    Args:
        path: YAML file; None for the defaults alone.
        overrides: such as `["gan_training.steps=100", "ablation.seeds=[0, 1]"]`; values are YAML.
        defaults: merged over; those of `Configuration` where None. What comes back is of its class.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not YAML, an unknown section or key, or a value of another type.
    """
    merged = Configuration() if defaults is None else defaults
    if path is not None:
        if not Path(path).is_file():
            raise FileNotFoundError(f"expected a YAML configuration, found no file {path}")
        values = _parsed(Path(path).read_text(), str(path)) or {}
        merged = _merge(merged, merged.upgrade(values, str(path)) if isinstance(values, dict) else values, str(path))
    for override in overrides or []:
        name, equals, value = override.partition("=")
        section, dot, key = name.partition(".")
        if not (equals and dot):
            raise ValueError(f"expected section.key=value, got {override!r}")
        merged = _merge(merged, merged.upgrade({section: {key: _parsed(value, override)}}, override), override)
    return merged


def merge(configuration: Any, values: dict[str, Any], where: str) -> Any:
    """Plain data merged over a configuration, checked likewise; a new one of the same class.

    Raises:
        ValueError: as `load_configuration`; the message begins with `where`.
    """
    return _merge(configuration, values, where)


def _parsed(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{where}: expected YAML, got {error}") from error


def _merge(default: Any, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise ValueError(f"{where}: expected keys and values, got {values!r}")
    known = {entry.name: entry for entry in dataclasses.fields(default)}
    merged = {}
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"{where}: expected one of {', '.join(known)}, got {key!r}")
        current = getattr(default, key)
        if dataclasses.is_dataclass(current):
            merged[key] = _merge(current, {} if value is None else value, f"{where}: {key}")
        elif isinstance(current, dict):
            merged[key] = {**current, **_checked({} if value is None else value, dict, f"{where}: {key}")}
        else:
            merged[key] = _checked(value, known[key].type, f"{where}: {key}")
    return dataclasses.replace(default, **merged)


def _checked(value: Any, declared: Any, where: str) -> Any:
    """The value as the declared type has it, or an error that names the place."""
    if isinstance(declared, UnionType):  # `X | None`
        return None if value is None else _checked(value, get_args(declared)[0], where)
    container, inside = get_origin(declared), get_args(declared)
    if container in (list, tuple) and isinstance(value, (list, tuple)):
        if container is tuple and len(value) != len(inside):
            raise ValueError(f"{where}: expected {len(inside)} values, got {value!r}")
        return container(_checked(item, inside[0], where) for item in value)
    if declared is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            return float(value)  # YAML 1.1 reads 2e-4 as text
    if type(value) is not (container or declared):
        raise ValueError(f"{where}: expected a value of type {getattr(declared, '__name__', declared)}, got {value!r}")
    return value


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value
