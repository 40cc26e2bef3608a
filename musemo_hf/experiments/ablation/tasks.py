"""The tasks of an ablation, as functions of its context."""

from typing import Any

from musemo_hf.runner.engines import Engine
from musemo_hf.runner.scheduler import Outcome, run_tasks
from musemo_hf.runner.task import Task

from .ablation import Ablation
from .arms import needs_generator
from .split_work import SplitWork, work_of


def run_ablation(ablation: Ablation, engine: Engine | None = None) -> Outcome:
    """Compute every missing result, together with all other processes that were given the run's folder.

    Args:
        ablation: The context.
        engine: Where the tasks run; None for this process.
    """
    if ablation.accelerator.is_main_process:
        ablation.write_configuration()
    outcome = run_tasks(ablation_tasks(ablation), ablation, ablation.run_dir / "locks", engine)
    ablation.accelerator.wait_for_everyone()
    return outcome


def ablation_tasks(ablation: Ablation) -> list[Task]:
    """Return all tasks, the most telling first: leaks and baselines, then all splits and arms, seed after seed."""
    plan, works = ablation.plan, [SplitWork(ablation, split) for split in ablation.splits]
    tasks = [Task("leaks", Ablation.leaks, result=ablation.run_dir / "leaks.json")]
    for name in plan.baselines:
        tasks += [] if name == "cnn" else _baseline_tasks(ablation, works, name)
    for seed in plan.seeds:
        for work in works:
            generates = ablation.generates(work.split)
            if seed == plan.seeds[0] and generates:
                arguments = (work.split.name,)
                name = _generator(work)
                tasks.append(Task(name, train_generator, arguments, is_done=generator_is_settled, gpu=True))
            tasks += [_arm_task(work, arm, seed, generates) for arm in plan.arms]
    return tasks + (_baseline_tasks(ablation, works, "cnn") if "cnn" in plan.baselines else [])


def _generator(work: SplitWork) -> str:
    return f"{work.split.name}/generator"


def _arm_task(work: SplitWork, arm: str, seed: int, generates: bool) -> Task:
    path = work.path(arm, seed)
    # the recognisers of `real` also predict the emotion of the generator's clips
    needs = (_generator(work),) if needs_generator(arm) or (arm == "real" and generates) else ()
    arguments = (work.split.name, arm, seed)
    return Task(f"{work.split.name}/{path.stem}", train_arm, arguments, needs, path, gpu=True)


def _baseline_tasks(ablation: Ablation, works: list[SplitWork], name: str) -> list[Task]:
    runs = [(work, labels, seed) for labels, seed in ablation.baseline_runs(name) for work in works]
    paths = [work.baseline_path(name, labels, seed) for work, labels, seed in runs]
    return [
        Task(
            f"{work.split.name}/baselines/{path.stem}",
            fit_baseline,
            (work.split.name, name, labels, seed),
            result=path,
            gpu=name == "cnn",
        )
        for (work, labels, seed), path in zip(runs, paths, strict=True)
    ]


def train_generator(ablation: Ablation, split: str) -> None:
    """Train the generator of a split, and keep its clips."""
    work_of(ablation, split).train_generator()


def generator_is_settled(ablation: Ablation, split: str) -> bool:
    """Return whether the generator of a split is trained, or its training has failed."""
    return work_of(ablation, split).generator.settled


def train_arm(ablation: Ablation, split: str, arm: str, seed: int) -> dict[str, Any]:
    """Train and test the recogniser of an arm."""
    return work_of(ablation, split).train_arm(arm, seed)


def fit_baseline(ablation: Ablation, split: str, name: str, labels: str, seed: int) -> dict[str, Any]:
    """Fit and test a baseline."""
    return work_of(ablation, split).fit(name, labels, seed)
