r"""Which part of the recipe makes a better generator? Train every variant at equal updates, measure, write one table.

    accelerate launch training/study.py --config training/configs/study/smoke.yaml --data-dir DEAM \
        --output-dir runs/study

A run that was stopped resumes where it was: finished tasks are files, and a task that was cut off goes on from its
checkpoints. Several processes share the tasks: those of `--jobs N`, of one launch, or of several on the same folder.
With `--engine ray` a Ray cluster computes them (see docs/cluster.md). The exit status is 1 if a task failed. With
`--set study.minutes=9` no task begins after nine minutes, and the table is written of what is there. Results:
report.html, report.md and report.json in the output folder; a variant's generator is in VARIANT-seedN/generator.
`--report-only` computes nothing, and writes the table of what is there.

What decides are the figures through sound, in the space of a pretrained audio model (YAMNet) that takes no part in any
training; its folder is that of MUSEMO_PRETRAINED, or it is downloaded. Real songs and noises are embedded once for all
variants. `--no-sound` leaves this out; the same command without it adds it later, and trains nothing again.

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
from musemo_hf.pipelines.embedders.find import find_audio_embedder
from musemo_hf.pipelines.embedders.pretrained_files import PretrainedModelError
from musemo_hf.runner.options import make_engine
from musemo_hf.runner.scheduler import Outcome
from musemo_hf.training.corpus import load_songs
from musemo_hf.training.launch import command, finish, parse_arguments, start

CONFIGS = Path(__file__).parent / "configs"


def main() -> int:
    """Run the study, write its report, and return the exit status."""
    options = ("no-sound", "report-only")
    arguments = parse_arguments(__doc__, CONFIGS / "study/smoke.yaml", "runs/study", *options, runs_tasks=True)
    embedder = None if arguments.no_sound or arguments.report_only else yamnet()
    configuration, accelerator = start(arguments, StudyConfiguration())
    engine = make_engine(arguments, accelerator.num_processes)
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    folder = arguments.data_dir or demo_corpus_dir()
    hardware = arguments.accept_other_hardware
    study = Study(configuration, songs, arguments.output_dir, accelerator, hardware, folder, embedder)
    outcome = Outcome() if arguments.report_only else run_study(study, engine)
    if accelerator.is_main_process:
        report = build_report(study, corpus, command())
        folder = write_reports(study, report)
        print(f"\n{markdown(report)}\nreport: {folder / 'report.html'}")
    finish(accelerator)
    return int(bool(outcome.failed) and accelerator.is_main_process)


def yamnet() -> str:
    """Return the name of the embedder, or end with the ways out where its model is missing."""
    try:
        return find_audio_embedder("yamnet").name
    except PretrainedModelError as error:
        raise SystemExit(f"{error}. Or leave out the figures through sound, which decide: --no-sound") from error


if __name__ == "__main__":
    sys.exit(main())
