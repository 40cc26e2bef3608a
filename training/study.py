r"""Which part of the recipe makes a better generator? Train every rung at equal updates, judge, and write one table.

    accelerate launch training/study.py --config training/configs/study/smoke.yaml --data-dir DEAM \
        --output-dir runs/study

A run that was stopped resumes where it was: finished pieces are files, and a piece that was cut off goes on from its
checkpoints. Several processes, of one launch or of several on the same folder, share the pieces out. With
`--set study.minutes=9` no piece is begun after nine minutes, and the table is written of what is there. Results:
report.html, report.md and report.json in the output folder; a rung's generator is in RUNG-seedN/generator.
"""

from pathlib import Path

from musemo_hf.experiments.study.plan import StudyConfiguration
from musemo_hf.experiments.study.report.page import markdown, write_reports
from musemo_hf.experiments.study.report.report import build_report
from musemo_hf.experiments.study.study import Study
from musemo_hf.training.corpus import load_songs
from musemo_hf.training.launch import command, finish, parse_arguments, start

CONFIGS = Path(__file__).parent / "configs"


def main() -> None:
    """Run the study and write its report."""
    arguments = parse_arguments(__doc__, CONFIGS / "study/smoke.yaml", "runs/study")
    configuration, accelerator = start(arguments, StudyConfiguration())
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    study = Study(configuration, songs, arguments.output_dir, accelerator)
    study.run()
    if accelerator.is_main_process:
        report = build_report(study, corpus, command())
        folder = write_reports(study, report)
        print(f"\n{markdown(report)}\nreport: {folder / 'report.html'}")
    finish(accelerator)


if __name__ == "__main__":
    main()
