"""Does synthetic music help a recogniser on real songs? Train, compare, report.

    accelerate launch training/ablate.py
    accelerate launch training/ablate.py --config training/configs/budget.yaml --data-dir DEAM --output-dir runs/budget
    accelerate launch training/ablate.py --config training/configs/budget.yaml ... --report-only

The first renders the demonstration corpus and needs no data. A run that was stopped resumes where it was. Its tasks are
shared by all processes that are given the output folder: those of `--jobs N`, of a launch, and of further launches,
also on other machines that see the folder. With `--engine ray` a Ray cluster computes them (see docs/cluster.md). The
exit status is 1 if a task failed. `--report-only` reports what is finished so far, and says what is missing. `--plan`
computes nothing, and prints the smallest effects that the run could detect. Results: report.html with
the sounds that it plays, report.md with forest.png, and report.json in the output folder; of a run with `n_real_songs`,
the curve of the gain against the number of real songs: few-songs.md with few-songs.png, and few-songs.json.

Budgets, in training/configs: smoke (minutes on two cores), budget (8 hours on two cores, or half an hour on a GPU),
full (every arm, share and seed; a GPU); published and as-run repeat what the study did; few_songs learns from 100, 200
and 400 real songs, and few_songs_external adds the arms whose teacher uses a pretrained audio model.
"""

import sys
from pathlib import Path
from typing import Any

from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.curve.curve import build_curve
from musemo_hf.experiments.ablation.curve.page import markdown as curve_markdown
from musemo_hf.experiments.ablation.curve.page import write_curve
from musemo_hf.experiments.ablation.curve.power import plan
from musemo_hf.experiments.ablation.report.answer import answer
from musemo_hf.experiments.ablation.report.page import write_reports
from musemo_hf.experiments.ablation.report.report import build_report
from musemo_hf.experiments.ablation.tasks import run_ablation
from musemo_hf.runner.options import make_engine
from musemo_hf.runner.scheduler import Outcome
from musemo_hf.training.corpus import load_songs
from musemo_hf.training.launch import command, finish, parse_arguments, start

CONFIGS = Path(__file__).parent / "configs"


def main() -> int:
    """Run the ablation, write its report, and return the exit status."""
    arguments = parse_arguments(__doc__, CONFIGS / "demo.yaml", "runs/ablation", "plan", "report-only", runs_tasks=True)
    configuration, accelerator = start(arguments)
    engine = make_engine(arguments, accelerator.num_processes)
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    ablation = Ablation(configuration, songs, arguments.output_dir, accelerator, arguments.accept_other_hardware)
    if arguments.plan:
        print(plan(ablation))
        finish(accelerator)
        return 0
    outcome = Outcome() if arguments.report_only else run_ablation(ablation, engine)
    if accelerator.is_main_process:
        print(f"\n{_report(ablation, corpus, arguments.data_dir)}")
    finish(accelerator)
    return int(bool(outcome.failed) and accelerator.is_main_process)


def _report(ablation: Ablation, corpus: dict[str, Any], data_dir: Path | None) -> str:
    """Write the report, and return its answer and where it is."""
    if ablation.plan.n_real_songs is not None:
        curve = build_curve(ablation, corpus, command())
        return f"{curve_markdown(curve)}\nreport: {write_curve(ablation, curve)}"
    report = build_report(ablation, corpus, command())
    folder = write_reports(ablation, report, data_dir)
    return f"{answer(report).text()}\n\nThe whole report is in {folder / 'report.html'}."


if __name__ == "__main__":
    sys.exit(main())
