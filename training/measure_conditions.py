r"""Measure whether a U-Net follows the loudness, the brightness and the tempo that it is asked for.

    python training/measure_conditions.py runs/unet/generator --config training/configs/unet_10s.yaml --data-dir DEAM \
        --hold-out 1

Emotions and values are those of songs of its training; the songs of the fold that is held out are not read. The script
writes conditions.md and conditions.json into the output folder.
"""

import argparse
import json
import sys
from pathlib import Path

from accelerate import Accelerator

from musemo_hf import MusemoUNetGenerator
from musemo_hf.experiments.model_reports.conditions import conditions_table, measure_conditions
from musemo_hf.files import atomic_write
from musemo_hf.reporting.provenance import versions
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import hold_out, load_songs
from musemo_hf.training.launch import DATA_DIR


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", help="The folder of a U-Net generator.")
    parser.add_argument("--config", type=Path, help="The YAML whose section `data` chooses the songs.")
    parser.add_argument("--data-dir", type=Path, help=DATA_DIR)
    parser.add_argument("--hold-out", type=int, metavar="FOLD", help="The fold whose songs are left out.")
    parser.add_argument("--n-clips", type=int, default=48, help="The number of clips of each condition.")
    parser.add_argument("--bfloat16", action="store_true", help="Generate with products in bfloat16, which is faster.")
    parser.add_argument("--output-dir", type=Path, default=Path("runs/conditions"))
    arguments = parser.parse_args()
    songs, corpus = load_songs(load_configuration(arguments.config).data, arguments.data_dir, Accelerator())
    generator = MusemoUNetGenerator.from_pretrained(arguments.generator)
    songs = hold_out(songs, arguments.hold_out)
    rows = measure_conditions(generator, songs, arguments.n_clips, bfloat16=arguments.bfloat16)
    report = {"command": f"python {' '.join(sys.argv)}", "corpus": corpus, "held_out_fold": arguments.hold_out}
    atomic_write(arguments.output_dir / "conditions.json", json.dumps(report | {"rows": rows, "versions": versions()}))
    atomic_write(arguments.output_dir / "conditions.md", conditions_table(rows))
    print(conditions_table(rows))


if __name__ == "__main__":
    main()
