"""Does synthetic music help a recogniser on real songs? Everything learnt is learnt inside the training part."""

import logging
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
from musemo_hf.experiments.runner.pieces import Piece, work_through
from musemo_hf.files import atomic_write
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import GENERATOR_KINDS, Configuration, load_configuration

from .arms import arm_and_share
from .leak_probes import leak_probes
from .split_work import SplitWork
from .splits import Split, make_splits, splits_hash

__all__ = ["Ablation", "Split", "SplitWork"]
logger = logging.getLogger(__name__)
# what of the plan decides a piece's numbers; arms, seeds, folds and baselines may be added to a run that has begun
DECIDING = ("protocol", "n_folds", "synthetic_share", "emotions", "generator")


class Ablation:
    """Trains a generator inside each training part, then a recogniser for each arm and seed.

    Every piece is a file in `run_dir`; a finished piece is never computed again, and all processes that are given the
    folder share the pieces: the processes of a launch, or several launches, also of several machines.

    Args:
        configuration: the plan and all settings.
        songs: the corpus.
        run_dir: results.
        accelerator: of the launch.

    Raises:
        ValueError: an unknown arm, baseline, generator or protocol, or a `run_dir` that holds another configuration's
            or corpus's pieces.
    """

    def __init__(
        self, configuration: Configuration, songs: SongArrays, run_dir: str | Path, accelerator: Accelerator
    ) -> None:
        self.configuration, self.songs = configuration, songs
        self.run_dir, self.accelerator = Path(run_dir), accelerator
        self.plan = configuration.ablation
        self._check_plan()
        self.clips = Clips.of_songs(songs)
        splits = make_splits(self.plan, songs)
        chosen = range(len(splits)) if self.plan.folds is None else self.plan.folds
        if not set(chosen) <= set(range(len(splits))):
            raise ValueError(f"expected folds from 0 to {len(splits) - 1}, got {self.plan.folds}")
        self.splits = [splits[number] for number in chosen]
        self._latest: SplitWork | None = None
        self._claim_run_dir(splits_hash(splits, songs))

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
        if not plan.seeds or len(set(plan.seeds)) < len(plan.seeds):
            raise ValueError(f"expected seeds, each once, got {plan.seeds}")

    def _claim_run_dir(self, digest: str) -> None:
        """Write what this run is, or refuse a folder that another run has begun."""
        path = self.run_dir / "configuration.yaml"
        first_line = f"# splits {digest}\n"
        if path.is_file() and not (path.read_text().startswith(first_line) and self._continues(path)):
            raise ValueError(
                f"{self.run_dir} holds the pieces of another configuration or corpus: choose another folder"
            )
        if self.accelerator.is_main_process:
            self.run_dir.mkdir(parents=True, exist_ok=True)
            atomic_write(path, first_line + self.configuration.to_yaml())
        self.accelerator.wait_for_everyone()

    def _continues(self, path: Path) -> bool:
        """Whether a folder's pieces are what this configuration would compute; values added since have defaults."""
        try:
            return _deciding(load_configuration(path)) == _deciding(self.configuration)
        except ValueError:  # a value that is known no more
            return False

    @cached_property
    def features(self) -> np.ndarray:
        """Band statistics of every song, for the baselines."""
        return band_statistics(self.songs.spectrogram)

    @cached_property
    def labels(self) -> dict[str, np.ndarray]:
        """The run's labels first, as "corrected" or "published", and the other ones where they differ: float64."""
        emotion = self.songs.emotion.astype(np.float64)
        kind = self.configuration.data.labels
        swapped = self.songs.song_id <= LAST_SWAPPED_ID
        if not swapped.any():
            return {kind: emotion}
        other = np.where(swapped[:, None], emotion[:, ::-1], emotion)
        return {kind: emotion, "published" if kind == "corrected" else "corrected": other}

    def work(self, split: Split) -> SplitWork:
        """The pieces of a split; only the latest split's clips are held."""
        if self._latest is None or self._latest.split is not split:
            self._latest = SplitWork(self, split)
        return self._latest

    def run(self) -> None:
        """Compute every missing piece, with all others who were given this folder."""
        work_through(self.pieces(), self.run_dir / "claims")
        self.accelerator.wait_for_everyone()

    def pieces(self) -> list[Piece]:
        """All pieces, the most telling first: leaks and baselines, then all folds and arms of a seed after another."""
        pieces = [self._leak_piece()]
        for name in self.plan.baselines:
            pieces += [piece for piece in self._baseline_pieces(name) if name != "cnn"]
        for seed in self.plan.seeds:
            for split in self.splits:
                if seed == self.plan.seeds[0] and self.generates(split):
                    pieces.append(self._generator_piece(split))
                pieces += [self._arm_piece(split, arm, seed) for arm in self.plan.arms]
        if "cnn" in self.plan.baselines:
            pieces += self._baseline_pieces("cnn")
        return pieces

    def generates(self, split: Split) -> bool:
        """Whether a split has a generator: not where only real songs and their augmentations are compared."""
        return split.mixed or any(SplitWork(self, split).needs_generator(arm) for arm in self.plan.arms)

    def baseline_runs(self, name: str) -> list[tuple[str, int]]:
        """(labels, seed) of a baseline: the CNN is given the run's labels alone, like the recogniser."""
        kinds = list(self.labels)[:1] if name == "cnn" else list(self.labels)
        return [(kind, seed) for kind in kinds for seed in (self.plan.seeds if name in SEEDED else self.plan.seeds[:1])]

    def _baseline_pieces(self, name: str) -> list[Piece]:
        def piece(split: Split, labels: str, seed: int) -> Piece:
            path = SplitWork(self, split).baseline_path(name, labels, seed)
            return Piece(
                f"{split.name}/baselines/{path.stem}",
                done=path.is_file,
                compute=lambda: self.work(split).baseline(name, labels, seed),
            )

        return [piece(split, *run) for run in self.baseline_runs(name) for split in self.splits]

    def _leak_piece(self) -> Piece:
        return Piece("leaks", done=(self.run_dir / "leaks.json").is_file, compute=self.leaks)

    def leaks(self) -> dict[str, Any]:
        """What `leak_probes` finds in these splits."""
        return leak_probes(self.run_dir / "leaks.json", self.songs, self.splits, self.features)

    def _generator_piece(self, split: Split) -> Piece:
        generator = SplitWork(self, split).generator
        return Piece(
            f"{split.name}/generator",
            done=lambda: generator.settled,
            compute=lambda: self.work(split).ensure_generator(),
        )

    def _arm_piece(self, split: Split, arm: str, seed: int) -> Piece:
        work = SplitWork(self, split)
        needs, path = work.needs_generator(arm), work.path(arm, seed)
        return Piece(
            f"{split.name}/{path.stem}",
            done=lambda: path.is_file() or (needs and work.generator.failure is not None),
            compute=lambda: self.work(split).predictions(arm, seed),
            # `real` is asked what it hears in the generator's clips
            ready=lambda: work.generator.settled or not (needs or (arm == "real" and self.generates(split))),
        )


def _deciding(configuration: Configuration) -> dict[str, Any]:
    """What decides the numbers of every piece."""
    plain = yaml.safe_load(configuration.to_yaml())
    plan = plain["ablation"]
    plain["ablation"] = {name: plan[name] for name in DECIDING} | {"seed_of_generators": plan["seeds"][0]}
    return plain
