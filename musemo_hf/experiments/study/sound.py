"""The sound of a study's variants: what it is measured against, and the figures of each variant that decide."""

import json
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from musemo_hf.experiments.model_reports.external_reference import ExternalReference, embed_reference
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.files import atomic_path, is_whole, once
from musemo_hf.pipelines.embedders.find import find_audio_embedder

from .study import Study
from .variant import Variant

SOUND = "sound"


class StudySound:
    """Measures variants through sound, against real songs and noises that are embedded once for all of them.

    Args:
        study: The context, with the name of an embedder.

    Raises:
        ValueError: The study has no embedder.
    """

    def __init__(self, study: Study) -> None:
        if study.embedder is None:
            raise ValueError("expected a study with an embedder of audio, got one without")
        self.study, self.sounds = study, SoundSets(find_audio_embedder(study.embedder))
        self.folder = study.run_dir / SOUND
        self.path, self.features = self.folder / "figures.json", self.folder / "features.npz"

    @cached_property
    def reference(self) -> ExternalReference:
        """The real songs and noises, whose features lie in the folder of the study, so that all processes share them.

        Raises:
            ValueError: The folder was begun with other songs or another embedder.
        """
        study = self.study
        study.identify(self.folder, {"embedder": self.sounds.embedder.name})
        if not self.features.is_file():
            found = embed_reference(study.held_out, study.training_songs, self.sounds)
            arrays: dict[str, Any] = {name: rows.astype(np.float32) for name, rows in found.items()}
            with atomic_path(self.features) as part, part.open("wb") as file:
                np.savez(file, **arrays)
        with np.load(self.features) as stored:
            features = {name: stored[name].astype(np.float64) for name in stored.files}
        return ExternalReference(study.held_out, study.training_songs, features)

    def prepare(self) -> dict[str, Any]:
        """Embed what all variants are measured against, and return how many clips of each set there are."""
        counts = {name: len(rows) for name, rows in self.reference.features.items()}
        return {"embedder": self.sounds.embedder.name, "n": counts}

    def measure(self, variant: Variant) -> dict[str, Any]:
        """Measure each way of sampling a variant; clips that its own measurement kept are not sampled again.

        Returns:
            `embedder`, and `samplings`: the answer of `ExternalReference.measure` for each way of sampling; empty where
            the training left no generator.
        """
        self.study.identify(variant.folder, variant.settings())
        samplings = {}
        if variant.figures()["training"]["has_generator"]:
            for label in variant.samplings():
                path = variant.folder / f"heard{label}.json"
                samplings[label] = once(path, partial(self._measure, variant, label))
        return {"embedder": self.sounds.embedder.name, "samplings": samplings}

    def _measure(self, variant: Variant, label: str) -> dict[str, Any]:
        clips = variant.clips(label)
        figures = self.reference.measure(self.sounds.features(clips, variant.folder.name + label), variant.requested)
        variant.kept_clips(label).unlink(missing_ok=True)
        return figures


@lru_cache(maxsize=1)  # loaded once for all variants
def study_sound(study: Study) -> StudySound:
    """Return what measures the sound of a study's variants."""
    return StudySound(study)


def sound_path(variant: Variant) -> Path:
    """Return the file of what `StudySound.measure` returned for a variant."""
    return variant.folder / "sound.json"


def sound_figures(variant: Variant) -> dict[str, Any] | None:
    """Read what `StudySound.measure` returned; None where a variant was not measured through sound."""
    path = sound_path(variant)
    return json.loads(path.read_text()) if is_whole(path) else None
