r"""Evaluate a generator on the fold that was held out of its training, and write the report for its card.

    accelerate launch training/train_gan.py --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0 \
        --output-dir runs/gan
    accelerate launch training/train_regressor.py --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0 \
        --output-dir runs/recogniser
    python training/measure_generator.py runs/gan/generator runs/recogniser/recogniser \
        --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0

A variant of a study is evaluated in the same way: runs/study/modern-seed0/generator runs/study/judge/recogniser. The
script writes report.json beside the folder of the generator.
"""

import argparse
import json
import sys
from pathlib import Path

from accelerate import Accelerator

from musemo_hf import MusemoPipeline, MusemoViTForEmotionRegression
from musemo_hf.experiments.model_reports.generator import build_generator_report
from musemo_hf.experiments.study.plan import StudyConfiguration
from musemo_hf.files import atomic_write
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import load_songs
from musemo_hf.training.launch import DATA_DIR


def main() -> None:
    """Evaluate, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", type=Path, help="The folder of a generator trained without the fold.")
    what = "The folder of a recogniser trained without the fold, which took no part in training the generator."
    parser.add_argument("evaluator", type=Path, help=what)
    parser.add_argument("--config", type=Path, help="The YAML of both trainings.")
    parser.add_argument("--data-dir", type=Path, help=DATA_DIR)
    parser.add_argument("--hold-out", type=int, default=0, metavar="FOLD", help="The held-out fold.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="The seeds of the trainings, for the card.")
    arguments = parser.parse_args()
    accelerator = Accelerator()
    configuration = load_configuration(arguments.config, [], StudyConfiguration())
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    report = build_generator_report(
        MusemoPipeline.from_pretrained(arguments.generator).generator.to(accelerator.device),
        MusemoViTForEmotionRegression.from_pretrained(arguments.evaluator).to(accelerator.device),
        songs,
        arguments.hold_out,
        corpus,
        command=f"python {' '.join(sys.argv)}",
        budget=arguments.config.stem if arguments.config else "default",
        seeds=arguments.seeds,
    )
    path = arguments.generator.parent / "report.json"
    atomic_write(path, json.dumps(report, indent=1))
    print("\n".join([*report["findings"], f"report: {path}"]))


if __name__ == "__main__":
    main()
