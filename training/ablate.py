"""Does synthetic music help a recogniser on real songs? Train, compare, report.

    accelerate launch training/ablate.py
    accelerate launch training/ablate.py --config training/configs/budget.yaml --data-dir DEAM --output-dir runs/budget
    accelerate launch training/ablate.py --config training/configs/budget.yaml ... --report-only

The first renders the procedural corpus and needs no data. A run that was stopped resumes where it was. Its tasks are
shared by all processes that are given the output folder: those of `--jobs N`, of a launch, and of further launches,
also on other machines that see the folder. With `--engine ray` a Ray cluster computes them (see docs/cluster.md). The
exit status is 1 if a task failed. `--report-only` reports what is finished so far, and says what is missing. Results:
report.html, report.md with forest.png, and report.json in the output folder.

Budgets, in training/configs: smoke (minutes on two cores), budget (8 hours on two cores, or half an hour on a GPU),
full (every arm, share and seed; a GPU); published and as-run repeat what the study did.
"""

import sys
from pathlib import Path

from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.report.page import markdown, write_reports
from musemo_hf.experiments.ablation.report.report import build_report
from musemo_hf.experiments.ablation.tasks import run_ablation
from musemo_hf.runner.options import make_engine
from musemo_hf.runner.scheduler import Outcome
from musemo_hf.training.corpus import load_songs
from musemo_hf.training.launch import command, finish, parse_arguments, start

CONFIGS = Path(__file__).parent / "configs"


def main() -> int:
    """Run the ablation, write its report, and return the exit status."""
    arguments = parse_arguments(__doc__, CONFIGS / "demo.yaml", "runs/ablation", "report-only", runs_tasks=True)
    configuration, accelerator = start(arguments)
    engine = make_engine(arguments, accelerator.num_processes)
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    ablation = Ablation(configuration, songs, arguments.output_dir, accelerator, arguments.accept_other_hardware)
    outcome = Outcome() if arguments.report_only else run_ablation(ablation, engine)
    if accelerator.is_main_process:
        report = build_report(ablation, corpus, command())
        folder = write_reports(ablation, report)
        print(f"\n{markdown(report)}\nreport: {folder / 'report.html'}")
    finish(accelerator)
    return int(bool(outcome.failed) and accelerator.is_main_process)


if __name__ == "__main__":
    sys.exit(main())
