r"""Measure a generator on the fold that it was trained without, and write the report that its card is filled from.

    accelerate launch training/train_gan.py --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0 \
        --output-dir runs/gan
    accelerate launch training/train_regressor.py --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0 \
        --output-dir runs/recogniser
    python training/measure_generator.py runs/gan/generator runs/recogniser/recogniser \
        --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0

A rung of a study is measured likewise: runs/study/modern-seed0/generator runs/study/judge/recogniser. Writes
report.json beside the generator's folder.
"""

import argparse
import json
import sys
from pathlib import Path

from accelerate import Accelerator

from musemo_hf import MusemoPipeline, MusemoViTForEmotionRegression
from musemo_hf.experiments.model_reports.generator import build_generator_report
from musemo_hf.experiments.study.plan import StudyConfiguration
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import load_songs
from musemo_hf.training.launch import DATA_DIR


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", type=Path, help="folder of a generator trained without the fold")
    parser.add_argument("judge", type=Path, help="folder of a recogniser trained without the fold, and on no generator")
    parser.add_argument("--config", type=Path, help="YAML that both were trained with")
    parser.add_argument("--data-dir", type=Path, help=DATA_DIR)
    parser.add_argument("--hold-out", type=int, default=0, metavar="FOLD", help="the fold")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the trainings, for the card")
    arguments = parser.parse_args()
    accelerator = Accelerator()
    configuration = load_configuration(arguments.config, [], StudyConfiguration())
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    report = build_generator_report(
        MusemoPipeline.from_pretrained(arguments.generator).generator.to(accelerator.device),
        MusemoViTForEmotionRegression.from_pretrained(arguments.judge).to(accelerator.device),
        songs,
        arguments.hold_out,
        corpus,
        command=f"python {' '.join(sys.argv)}",
        budget=arguments.config.stem if arguments.config else "default",
        seeds=arguments.seeds,
    )
    path = arguments.generator.parent / "report.json"
    path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print("\n".join([*report["findings"], f"report: {path}"]))


if __name__ == "__main__":
    main()
