r"""Measure a flow or a U-Net at several numbers of sampling steps, on songs of its training.

    python training/measure_steps.py runs/unet/generator --config training/configs/unet_10s.yaml --data-dir DEAM \
        --hold-out 1 --steps 1 2 4 8 20

The songs of the fold that is held out are not read. Of the others, some are asked for and compared with, and songs of
other artists are what real music is. The script writes steps.md and steps.json into the output folder. What decides is
the skill through sound, in the space of YAMNet (see `measure_generator.py`); `--no-sound` leaves it out.
"""

import argparse
import json
import sys
from pathlib import Path

from accelerate import Accelerator

from musemo_hf import MusemoPipeline
from musemo_hf.experiments.model_reports.steps import divide_by_artist, measure_steps, steps_table
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder
from musemo_hf.reporting.provenance import versions
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import hold_out, load_songs
from musemo_hf.training.launch import DATA_DIR


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", help="The folder of a generator or of a pipeline.")
    parser.add_argument("--config", type=Path, help="The YAML whose section `data` chooses the songs.")
    parser.add_argument("--data-dir", type=Path, help=DATA_DIR)
    parser.add_argument("--hold-out", type=int, metavar="FOLD", help="The fold whose songs are left out.")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4, 8, 20], help="The numbers of steps.")
    parser.add_argument("--n-clips", type=int, default=96, help="The largest number of clips at each number of steps.")
    parser.add_argument("--n-others", type=int, default=400, help="The largest number of songs of other artists.")
    parser.add_argument("--no-sound", action="store_true", help="Leave out what another model hears, which decides.")
    parser.add_argument("--bfloat16", action="store_true", help="Generate with products in bfloat16, which is faster.")
    parser.add_argument("--output-dir", type=Path, default=Path("runs/steps"))
    arguments = parser.parse_args()
    songs, corpus = load_songs(load_configuration(arguments.config).data, arguments.data_dir, Accelerator())
    asked, others = divide_by_artist(hold_out(songs, arguments.hold_out), arguments.n_clips, arguments.n_others)
    pipeline = MusemoPipeline.from_pretrained(arguments.generator)
    pipeline.set_progress_bar_config(disable=True)
    sounds = None if arguments.no_sound else SoundSets(yamnet_embedder())
    rows = measure_steps(pipeline, asked, others, arguments.steps, sounds, arguments.bfloat16)
    report = {"command": f"python {' '.join(sys.argv)}", "corpus": corpus, "held_out_fold": arguments.hold_out}
    report |= {"n_asked": len(asked), "n_others": len(others), "rows": rows, "versions": versions()}
    table = steps_table(rows)
    atomic_write(arguments.output_dir / "steps.json", json.dumps(report, indent=1, default=float))
    atomic_write(arguments.output_dir / "steps.md", table)
    print(table)


if __name__ == "__main__":
    main()
