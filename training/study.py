r"""Which part of the recipe makes a better generator? Train every variant at equal updates, measure, write one table.

    accelerate launch training/study.py --config training/configs/study/smoke.yaml --data-dir DEAM \
        --output-dir runs/study

A run that was stopped resumes where it was: finished tasks are files, and a task that was cut off goes on from its
checkpoints. Several processes share the tasks: those of `--jobs N`, of one launch, or of several on the same folder.
With `--engine ray` a Ray cluster computes them (see docs/cluster.md). The exit status is 1 if a task failed. With
`--set study.minutes=9` no task begins after nine minutes, and the table is written of what is there. Results:
report.html, report.md and report.json in the output folder; a variant's generator is in VARIANT-seedN/generator.

A WaveGAN (`kind: wavegan`) learns from the audio of the songs: its task fails where `--data-dir` is a pack, which holds
none, and the others go on.
"""

import sys
from pathlib import Path

from musemo_hf.data.demo_corpus import demo_corpus_dir
from musemo_hf.experiments.study.plan import StudyConfiguration
from musemo_hf.experiments.study.report.page import markdown, write_reports
from musemo_hf.experiments.study.report.report import build_report
from musemo_hf.experiments.study.study import Study
from musemo_hf.experiments.study.tasks import run_study
from musemo_hf.runner.options import make_engine
from musemo_hf.training.corpus import load_songs
from musemo_hf.training.launch import command, finish, parse_arguments, start

CONFIGS = Path(__file__).parent / "configs"


def main() -> int:
    """Run the study, write its report, and return the exit status."""
    arguments = parse_arguments(__doc__, CONFIGS / "study/smoke.yaml", "runs/study", runs_tasks=True)
    configuration, accelerator = start(arguments, StudyConfiguration())
    engine = make_engine(arguments, accelerator.num_processes)
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    folder = arguments.data_dir or demo_corpus_dir()
    study = Study(configuration, songs, arguments.output_dir, accelerator, arguments.accept_other_hardware, folder)
    outcome = run_study(study, engine)
    if accelerator.is_main_process:
        report = build_report(study, corpus, command())
        folder = write_reports(study, report)
        print(f"\n{markdown(report)}\nreport: {folder / 'report.html'}")
    finish(accelerator)
    return int(bool(outcome.failed) and accelerator.is_main_process)


if __name__ == "__main__":
    sys.exit(main())
