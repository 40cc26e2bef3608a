r"""Evaluate a generator on the fold that was held out of its training, and write the report for its card.

What decides is its skill through sound, in the space of a pretrained audio model (YAMNet); the folder of the model is
that of MUSEMO_PRETRAINED, or it is downloaded. `--no-sound` leaves that out.

    accelerate launch training/train_gan.py --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0 \
        --output-dir runs/gan
    accelerate launch training/train_regressor.py --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0 \
        --output-dir runs/recogniser
    python training/measure_generator.py runs/gan/generator runs/recogniser/recogniser \
        --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0

A variant of a study is evaluated in the same way: runs/study/modern-seed0/generator runs/study/judge/recogniser. The
script writes report.json beside the folder of the generator, and a line in docs/fold-readings.md. A fold of real songs
is read once for a recipe and seed: a second reading is refused unless `--read-again` is given, which the log then says.
"""

import argparse
import json
import sys
from pathlib import Path

from accelerate import Accelerator

from musemo_hf import MusemoPipeline, MusemoViTForEmotionRegression
from musemo_hf.experiments.model_reports.generator import build_generator_report
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.experiments.study.plan import StudyConfiguration
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder
from musemo_hf.reporting.fold_readings import FoldReading, append_reading, check_reading, today, weights_hash
from musemo_hf.runner.argument_types import whole
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import load_songs
from musemo_hf.training.launch import DATA_DIR

LOG = Path(__file__).resolve().parent.parent / "docs" / "fold-readings.md"


def main() -> None:
    """Evaluate, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", type=Path, help="The folder of a generator trained without the fold.")
    what = "The folder of a recogniser trained without the fold, which took no part in training the generator."
    parser.add_argument("evaluator", type=Path, help=what)
    parser.add_argument("--config", type=Path, help="The YAML of both trainings.")
    parser.add_argument("--data-dir", type=Path, help=DATA_DIR)
    parser.add_argument("--hold-out", type=whole(0), default=0, metavar="FOLD", help="The held-out fold.")
    parser.add_argument(
        "--seeds", type=whole(0), nargs="+", default=[0], help="The seeds of the trainings, for the card."
    )
    parser.add_argument("--no-sound", action="store_true", help="Leave out what another model hears, which decides.")
    parser.add_argument("--bfloat16", action="store_true", help="Generate with products in bfloat16, which is faster.")
    parser.add_argument("--log", type=Path, default=LOG, help="The log of readings of folds.")
    parser.add_argument("--note", default="", help="What the fold is read for, for the log.")
    parser.add_argument("--read-again", action="store_true", help="Read a fold that was read before for this recipe.")
    arguments = parser.parse_args()
    accelerator = Accelerator()
    configuration = load_configuration(arguments.config, [], StudyConfiguration())
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    budget = arguments.config.stem if arguments.config else "default"
    command = f"python {' '.join(sys.argv)}"
    seeds = ", ".join(map(str, arguments.seeds))
    weights = weights_hash(arguments.generator)
    reading = FoldReading(
        today(), corpus["name"], str(arguments.hold_out), budget, seeds, weights, command, arguments.note
    )
    if not corpus["procedural"]:  # its songs are made, as many as are wanted
        reading = check_reading(arguments.log, reading, arguments.read_again)
    report = build_generator_report(
        MusemoPipeline.from_pretrained(arguments.generator).generator.to(accelerator.device),
        MusemoViTForEmotionRegression.from_pretrained(arguments.evaluator).to(accelerator.device),
        songs,
        arguments.hold_out,
        corpus,
        command=command,
        budget=budget,
        seeds=arguments.seeds,
        bfloat16=arguments.bfloat16,
        sounds=None if arguments.no_sound else SoundSets(yamnet_embedder()),
    )
    report["weights"] = weights
    if not corpus["procedural"]:
        append_reading(arguments.log, reading)
    path = arguments.generator.parent / "report.json"
    atomic_write(path, json.dumps(report, indent=1))
    print("\n".join([*report["findings"], f"report: {path}"]))


if __name__ == "__main__":
    main()
