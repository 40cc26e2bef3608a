"""The tasks of a study, as functions of its context."""

import json
from typing import Any

from musemo_hf.files import is_whole
from musemo_hf.runner.engines import Engine
from musemo_hf.runner.scheduler import Outcome, run_tasks
from musemo_hf.runner.task import Task

from .recogniser import JUDGE, TEACHER, StudyRecogniser
from .sound import SOUND, sound_path, study_sound
from .study import Study
from .variant import Variant, variants


def run_study(study: Study, engine: Engine | None = None) -> Outcome:
    """Compute every missing result, until all are there or the plan's minutes are over.

    Args:
        study: The context.
        engine: Where the tasks run; None for this process.
    """
    outcome = run_tasks(study_tasks(study), study, study.run_dir / "locks", engine, study.plan.minutes)
    study.accelerator.wait_for_everyone()
    return outcome


def study_tasks(study: Study) -> list[Task]:
    """Return all tasks: the recognisers and the baseline come first, as others need them."""
    configuration = study.configuration
    names = [JUDGE, *([TEACHER] if any(map(configuration.uses_teacher, configuration.variants)) else [])]
    tasks = [
        Task(name, train_recogniser, (name,), result=StudyRecogniser(study, name).path, gpu=True) for name in names
    ]
    ordered = sorted(variants(study), key=lambda variant: variant.name != study.plan.baseline)
    tasks += [_variant_task(variant) for variant in ordered]
    return tasks if study.embedder is None else tasks + _sound_tasks(study, ordered)


def _sound_tasks(study: Study, ordered: list[Variant]) -> list[Task]:
    """Return the tasks of the sound, which come last: a study may be given them when its trainings are done."""
    tasks = [Task(SOUND, prepare_sound, result=study_sound(study).path)]
    for variant in ordered:
        name, arguments = variant.folder.name, (variant.name, variant.seed)
        tasks.append(Task(f"{name}-{SOUND}", measure_sound, arguments, (SOUND, name), sound_path(variant), gpu=True))
    return tasks


def _variant_task(variant: Variant) -> Task:
    needs = [JUDGE]
    if variant.study.configuration.uses_teacher(variant.name):
        needs.append(TEACHER)
    if variant.kind != "gan":  # it is trained for as many seconds as the baseline
        needs.append(variant.baseline.folder.name)
    arguments = (variant.name, variant.seed)
    return Task(variant.folder.name, make_variant, arguments, tuple(needs), variant.path, gpu=True)


def train_recogniser(study: Study, name: str) -> dict[str, Any]:
    """Train and test a recogniser of the study."""
    return StudyRecogniser(study, name).train()


def make_variant(study: Study, name: str, seed: int) -> dict[str, Any]:
    """Train and measure a variant with a seed."""
    return Variant(study, name, seed).make()


def prepare_sound(study: Study) -> dict[str, Any]:
    """Embed what the sound of all variants is measured against."""
    return study_sound(study).prepare()


def measure_sound(study: Study, name: str, seed: int) -> dict[str, Any]:
    """Measure a variant with a seed through sound."""
    return study_sound(study).measure(Variant(study, name, seed))


def agreement_of_judge(study: Study) -> dict[str, Any] | None:
    """Read the judge's agreement with the labels of held-out songs, a bound of the conditioning."""
    path = StudyRecogniser(study, JUDGE).path
    return json.loads(path.read_text()) if is_whole(path) else None
