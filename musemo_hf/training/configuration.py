"""The configuration of a run: YAML merged over defaults by OmegaConf and checked."""

import dataclasses
import json
import math
import textwrap
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from musemo_hf.training.flow.settings import FlowTraining
from musemo_hf.training.gan.settings import GanTraining
from musemo_hf.training.recogniser.settings import RecogniserTraining
from musemo_hf.training.unet.settings import UNetTraining

GENERATOR_KINDS = ("gan", "flow", "unet")
# keys of earlier versions, and the value that each had unless a file said otherwise: the only one that still loads
REMOVED: dict[str, dict[str, Any]] = {
    "gan_training": {"instance_noise_share": 0.5, "feature_matching_weight": 0.0, "crop_frames": None},
    "generator": {"emotion_hidden_dim": 128, "style_dim": 64, "local_noise_dim": 8, "n_rhythms": 8},
    "flow": {"detail": True, "mlp_ratio": 4.0},
    "flow_training": {
        "betas": [0.9, 0.99],
        "time_mean": 0.0,
        "time_deviation": 1.0,
        "profile_weight": 0.2,
        "dropped_emotion": 0.1,
    },
    "recogniser_training": {"test_crops": 1, "pretraining_mask": 0.75, "pretraining_block": 2},
}
MAX_BYTES = 2**18  # of a YAML file; the parser takes a second or so for as much


@dataclass
class DataSettings:
    """The songs of a run.

    Attributes:
        config_name: "excerpt_10s", "excerpt_30s" or "first_30s".
        labels: "corrected" or "published" (valence and arousal of 2013 swapped, as in DEAM's file).
        n_songs: The number of songs, the first by song id; None for all. A random draw would differ between folders.
        annotation_file: "all", or "1_2000" for the songs of DEAM's first annotation file only.
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
        generator: "gan" (section `generator`), "flow" (section `flow`) or "unet" (section `unet`).
        synthetic_share: Synthetic clips per real one, for arms that give none; 2.3 is 3,200 / 1,395.
        emotions: "training" (density of the training labels) or "uniform" on the square, as published.
        variation_strength: How far the arm `variations` changes real clips, in [0, 1], see `MusemoFlowGenerator.vary`.
        n_real_songs: The numbers of real songs of a curve: generator, teacher and recogniser learn from that many songs
            of each training part, and all songs of the test part are predicted. None for all songs, without a curve.
        measure_generator: Whether to generate a clip at the emotion of each test song, by which the generator is
            measured.
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
    variation_strength: float = 0.5
    n_real_songs: list[int] | None = None
    measure_generator: bool = True
    n_resamples: int = 10_000
    budget: str = "default"


@dataclass
class Configuration:
    """All settings of a run.

    `generator`, `flow`, `unet` and `recogniser` are arguments of `MusemoGanConfig`, `MusemoFlowGenerator`,
    `MusemoUNetGenerator` and `MusemoViTConfig`.
    """

    data: DataSettings = field(default_factory=DataSettings)
    generator: dict[str, Any] = field(default_factory=dict)
    gan_training: GanTraining = field(default_factory=GanTraining)
    flow: dict[str, Any] = field(default_factory=dict)
    flow_training: FlowTraining = field(default_factory=FlowTraining)
    unet: dict[str, Any] = field(default_factory=dict)
    unet_training: UNetTraining = field(default_factory=UNetTraining)
    recogniser: dict[str, Any] = field(default_factory=dict)
    recogniser_training: RecogniserTraining = field(default_factory=RecogniserTraining)
    ablation: AblationPlan = field(default_factory=AblationPlan)

    @classmethod
    def upgrade(cls, values: dict[str, Any], where: str) -> dict[str, Any]:
        """Replace the former keys of a file by today's, with a `FutureWarning`."""
        return values

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain data."""
        return dataclasses.asdict(self)

    def to_yaml(self) -> str:
        """Return the text that a run's folder holds; it reads back to the same configuration."""
        return OmegaConf.to_yaml(OmegaConf.create(self.to_dict()))


def load_configuration(
    path: str | Path | None = None, overrides: list[str] | None = None, defaults: Configuration | None = None
) -> Any:
    """Merge a YAML file over the defaults, and `section.key=value` over that.

    A file may begin with `base: other.yaml`, a path relative to its own folder: it is then merged over that file.

    Args:
        path: The YAML file; None for the defaults alone.
        overrides: Changes such as `["gan_training.steps=100", "ablation.seeds=[0, 1]"]`; values are YAML.
        defaults: The configuration to merge over, `Configuration()` where None; the result is of its class.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The text is not YAML, a section or key is unknown, or a value has another type.
    """
    configuration = Configuration() if defaults is None else defaults
    sources = [] if path is None else [(str(path), _read(Path(path)))]
    for override in overrides or []:
        name, equals, value = override.partition("=")
        section, dot, key = name.partition(".")
        if not (equals and dot):
            raise ValueError(f"expected section.key=value, got {override!r}")
        parsed = _parsed(f"value:\n{textwrap.indent(value, ' ')}", override)["value"]
        sources.append((override, {section: {key: parsed}}))
    return _merged(configuration, [(where, configuration.upgrade(values, where)) for where, values in sources])


def merge(configuration: Any, values: dict[str, Any], where: str) -> Any:
    """Return a configuration of the same class with plain data merged over it.

    Raises:
        ValueError: As in `load_configuration`; the message begins with `where`.
    """
    return _merged(configuration, [(where, values)])


def _read(path: Path) -> dict[str, Any]:
    """Return the values of a YAML file, merged over those of its base."""
    values = _values(path)
    if "base" not in values:
        return values
    base = path.parent / str(values.pop("base"))
    below = _values(base)
    if "base" in below:
        raise ValueError(f"{path}: base: expected a file that has no base itself, got {base}")
    values = {name: section for name, section in values.items() if section is not None}
    try:
        return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.merge(below, values)))
    except (OmegaConfBaseException, TypeError) as error:
        raise ValueError(f"{path}: expected values that can be merged over {base}, got {error}") from error


def _values(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"expected a YAML configuration, found no file {path}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: expected at most {MAX_BYTES} bytes, got {path.stat().st_size}")
    return _parsed(path.read_bytes(), str(path))


def _parsed(text: str | bytes, where: str) -> dict[str, Any]:
    """Return the keys and values of a YAML text as plain data."""
    try:
        values = OmegaConf.to_container(OmegaConf.create(text if isinstance(text, str) else text.decode()))
        plain = json.dumps(values)
    except Exception as error:  # the constructors of PyYAML raise all kinds for a tag that does not fit
        raise ValueError(f"{where}: expected YAML, got {error}") from error
    if "${" in plain or '"???"' in plain:
        raise ValueError(f"{where}: expected plain values, got an interpolation (${{...}}) or a missing one (???)")
    return _mapping(values, where)


def _mapping(values: Any, where: str) -> dict[str, Any]:
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"{where}: expected keys and values, got {values!r}")
    return values


def _merged(configuration: Any, sources: list[tuple[str, dict[str, Any]]]) -> Any:
    """Merge all sources, then build each changed section once, so that values which need each other may come apart."""
    known = [entry.name for entry in dataclasses.fields(configuration)]
    sections, places = dict[str, Any](), dict[str, str]()
    for where, values in sources:
        for name, changes in _mapping(values, where).items():
            if name not in known:
                raise ValueError(f"{where}: expected one of {', '.join(known)}, got {name!r}")
            places[name] = f"{where}: {name}"
            before = sections.get(name, getattr(configuration, name))
            changes = _without_removed(name, _mapping({} if changes is None else changes, places[name]), places[name])
            sections[name] = before | changes if isinstance(before, dict) else _changed(before, changes, places[name])
    for name, section in sections.items():
        try:
            sections[name] = section if isinstance(section, dict) else OmegaConf.to_object(section)
        except ValueError as error:  # a section checks its own values
            raise ValueError(f"{places[name]}: {error}") from error
    return dataclasses.replace(configuration, **sections)


def _without_removed(section: str, changes: dict[str, Any], where: str) -> dict[str, Any]:
    """Leave out keys of earlier versions, whose value is refused unless it is what is done today."""
    removed = REMOVED.get(section, {})
    for key in sorted(removed.keys() & changes.keys()):
        if changes[key] != removed[key]:
            expected = f"expected its former default {removed[key]}, got {changes[key]!r}"
            raise ValueError(f"{where}: {key} was removed: {expected}")
        warnings.warn(f"{where}: {key} was removed; {removed[key]} is what is always done", FutureWarning, stacklevel=2)
    return {key: value for key, value in changes.items() if key not in removed}


def _changed(section: Any, changes: dict[str, Any], where: str) -> Any:
    """Return a section as a typed OmegaConf configuration with its changes assigned."""
    typed = section if OmegaConf.is_config(section) else OmegaConf.structured(section, flags={"convert": False})
    fields = dataclasses.fields(cast(type, OmegaConf.get_type(typed)))
    declared: dict[str, Any] = {entry.name: entry.type for entry in fields}
    for key, value in changes.items():
        if key not in declared:
            raise ValueError(f"{where}: expected one of {', '.join(declared)}, got {key!r}")
        try:
            OmegaConf.update(typed, key, _with_floats(value, declared[key]))
        except (ValueError, OverflowError) as error:
            kind = declared[key].__name__ if isinstance(declared[key], type) else declared[key]
            raise ValueError(f"{where}: {key}: expected a value of type {kind}, got {value!r}") from error
    return typed


def _with_floats(value: Any, declared: Any) -> Any:
    """Return whole numbers as floats where floats are declared, which OmegaConf does not convert when it is strict."""
    if isinstance(value, list):
        return [_with_floats(item, declared) for item in value]
    if float in (declared, *get_args(declared)) and type(value) in (int, float):
        if not math.isfinite(value):
            raise ValueError("expected a finite number")
        return float(value)
    return value
