"""The context of an ablation: does synthetic music help a recogniser on real songs?"""

import json
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from accelerate import Accelerator

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.deam.annotations import LAST_SWAPPED_ID
from musemo_hf.experiments.ablation.baselines.band_statistics import band_statistics
from musemo_hf.experiments.ablation.baselines.regressors import BASELINES, SEEDED
from musemo_hf.files import atomic_write, is_whole
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import GENERATOR_KINDS, AblationPlan, Configuration, load_configuration
from musemo_hf.training.identity import data_identity

from .arms import arm_and_share, needs_generator
from .leak_probes import leak_probes
from .splits import Split, few_songs, make_splits, splits_hash

logger = logging.getLogger(__name__)
DATA_LINE = "# data "
# The settings of the plan that decide a result's numbers; arms, seeds, folds and baselines may be added to a run later.
DECIDING = ("protocol", "n_folds", "synthetic_share", "emotions", "variation_strength", "generator")


@dataclass(frozen=True, eq=False)
class Ablation:
    """What all tasks of an ablation share. It does not change, and is sent to the processes that run tasks.

    Attributes:
        configuration: The plan and all settings.
        songs: The corpus.
        run_dir: The folder of the results.
        accelerator: The accelerator of the launch; a process that receives the context makes one of its own.
        accept_other_hardware: Whether trainings that were begun on another device may go on, see `TrainingLoop.train`.

    Raises:
        ValueError: An arm, baseline, generator or protocol is unknown, or `run_dir` holds the results of another
            configuration or corpus.
    """

    configuration: Configuration
    songs: SongArrays
    run_dir: Path
    accelerator: Accelerator
    accept_other_hardware: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "run_dir", Path(self.run_dir).absolute())  # workers have another current folder
        self._check_plan()
        if not set(self.plan.folds or ()) <= set(range(len(self._all_splits))):
            raise ValueError(f"expected folds from 0 to {len(self._all_splits) - 1}, got {self.plan.folds}")
        path = self.run_dir / "configuration.yaml"
        if path.is_file() and not (path.read_text().startswith(self._first_line) and self._continues(path)):
            raise ValueError(
                f"{self.run_dir} holds the results of another configuration or corpus: choose another folder"
            )
        self._check_data(path)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("configuration", "songs", "run_dir", "accept_other_hardware")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, accelerator=Accelerator())

    @property
    def plan(self) -> AblationPlan:
        """The plan."""
        return self.configuration.ablation

    @cached_property
    def _all_splits(self) -> list[Split]:
        return make_splits(self.plan, self.songs)

    @cached_property
    def splits(self) -> list[Split]:
        """The splits of the plan; with numbers of real songs, those of the first number come first."""
        chosen = range(len(self._all_splits)) if self.plan.folds is None else self.plan.folds
        splits = [self._all_splits[number] for number in chosen]
        if self.plan.n_real_songs is None:
            return splits
        return [few_songs(split, self.songs, n) for n in self.plan.n_real_songs for split in splits]

    @cached_property
    def _first_line(self) -> str:
        return f"# splits {splits_hash(self._all_splits, self.songs)}\n"

    @cached_property
    def clips(self) -> Clips:
        """The songs as clips."""
        return Clips.of_songs(self.songs)

    def write_configuration(self) -> None:
        """Write to the run's folder which run it holds."""
        identity = f"{DATA_LINE}{json.dumps(self._data)}\n"
        atomic_write(self.run_dir / "configuration.yaml", self._first_line + identity + self.configuration.to_yaml())

    @cached_property
    def _data(self) -> dict[str, Any]:
        return data_identity(self.clips)

    def _check_data(self, path: Path) -> None:
        """Refuse the folder of a run on other spectrograms or labels; one of an earlier version does not name them."""
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        found = [json.loads(line.removeprefix(DATA_LINE)) for line in lines if line.startswith(DATA_LINE)]
        if lines and not found:
            logger.warning("%s was begun by an earlier version, which did not record its data", self.run_dir)
        changed = [name for made in found for name in self._data if made.get(name) != self._data[name]]
        if changed:
            raise ValueError(f"{self.run_dir} holds the results of other {', '.join(changed)}: choose another folder")

    def _check_plan(self) -> None:
        plan = self.plan
        for arm in plan.arms:
            arm_and_share(arm)
        if "real" not in plan.arms:
            raise ValueError(f"expected arms with 'real' among them, got {plan.arms}")
        if unknown := sorted(set(plan.baselines) - set(BASELINES)):
            raise ValueError(f"expected baselines out of {', '.join(BASELINES)}, got {', '.join(unknown)}")
        if plan.generator not in GENERATOR_KINDS:
            raise ValueError(f"expected generator to be one of {', '.join(GENERATOR_KINDS)}, got {plan.generator!r}")
        if not 0 <= plan.variation_strength <= 1:
            raise ValueError(f"expected variation_strength in [0, 1], got {plan.variation_strength:g}")
        sizes = plan.n_real_songs
        if sizes is not None and (not sizes or len(set(sizes)) < len(sizes)):
            raise ValueError(f"expected numbers of real songs, each once, got {sizes}")
        if not plan.seeds or len(set(plan.seeds)) < len(plan.seeds):
            raise ValueError(f"expected seeds, each once, got {plan.seeds}")

    def _continues(self, path: Path) -> bool:
        """Return whether a folder holds what this configuration would compute; settings added since have defaults."""
        try:
            return _deciding(load_configuration(path)) == _deciding(self.configuration)
        except ValueError:  # a setting that no longer exists
            return False

    @cached_property
    def features(self) -> np.ndarray:
        """The band statistics of every song, for the baselines."""
        return band_statistics(self.songs.spectrogram)

    @cached_property
    def labels(self) -> dict[str, np.ndarray]:
        """The run's labels, "corrected" or "published", and then the other ones if they differ; float64 `(N, 2)`."""
        emotion = self.songs.emotion.astype(np.float64)
        kind = self.configuration.data.labels
        swapped = self.songs.song_id <= LAST_SWAPPED_ID
        if not swapped.any():
            return {kind: emotion}
        other = np.where(swapped[:, None], emotion[:, ::-1], emotion)
        return {kind: emotion, "published" if kind == "corrected" else "corrected": other}

    def generates(self, split: Split) -> bool:
        """Return whether a split needs a generator: not if only real songs and their augmentations are compared."""
        return split.mixed or any(map(needs_generator, self.plan.arms))

    def baseline_runs(self, name: str) -> list[tuple[str, int]]:
        """Return the labels and seed of each fit of a baseline; the CNN is fitted to the run's own labels only."""
        kinds = list(self.labels)[:1] if name == "cnn" else list(self.labels)
        return [(kind, seed) for kind in kinds for seed in (self.plan.seeds if name in SEEDED else self.plan.seeds[:1])]

    def leaks(self) -> dict[str, Any]:
        """Return what `leak_probes` finds in these splits, read from the run's folder where it is there."""
        path = self.run_dir / "leaks.json"
        if is_whole(path):
            return json.loads(path.read_text())
        return leak_probes(self.songs, self.splits, self.features)


def _deciding(configuration: Configuration) -> dict[str, Any]:
    """Return the settings that decide the numbers of every result."""
    plain = yaml.safe_load(configuration.to_yaml())
    plan = plain["ablation"]
    plain["ablation"] = {name: plan[name] for name in DECIDING} | {"seed_of_generators": plan["seeds"][0]}
    return plain
