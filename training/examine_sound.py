r"""Compare the sound of the five presets of a generator with real songs of the same quadrant.

    python training/examine_sound.py runs/gan/generator --config training/configs/deam_10s.yaml --data-dir DEAM \
        --hold-out 0 --output-dir runs/sound

The script writes sound.md, sound.json, sound.png and a song for each preset into the output folder. `--hold-out`
compares with the songs of one fold alone, which were not used in training a generator with the same value. This reads
the fold, for a picture and not to choose anything: docs/fold-readings.md gets a line, a second one too.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator

from musemo_hf import MusemoPipeline
from musemo_hf.experiments.model_reports.sound import examine_sound, sound_picture, sound_table
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.emotion_to_music import PRESETS
from musemo_hf.reporting.figures import to_png
from musemo_hf.reporting.fold_readings import FoldReading, append_reading, check_reading, today, weights_hash
from musemo_hf.runner.argument_types import whole
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import load_songs, select
from musemo_hf.training.launch import DATA_DIR

LOG = Path(__file__).resolve().parent.parent / "docs" / "fold-readings.md"


def main() -> None:
    """Render the presets, measure them, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", help="The folder of a generator or of a pipeline.")
    parser.add_argument("--config", type=Path, help="The YAML whose section `data` chooses the songs.")
    parser.add_argument("--data-dir", type=Path, help=DATA_DIR)
    parser.add_argument("--hold-out", type=whole(0), metavar="FOLD", help="Compare with the songs of this fold alone.")
    parser.add_argument("--seeds", type=whole(), default=4, help="The number of clips of each preset.")
    parser.add_argument("--n-real", type=whole(), default=40, help="The largest number of real songs of each preset.")
    parser.add_argument("--output-dir", type=Path, default=Path("runs/sound"))
    parser.add_argument("--log", type=Path, default=LOG, help="The log of readings of folds.")
    parser.add_argument(
        "--training-seed", type=whole(0), default=0, help="The seed of the generator's training, for the log."
    )
    arguments = parser.parse_args()
    songs, corpus = load_songs(load_configuration(arguments.config).data, arguments.data_dir, Accelerator())
    reading = None
    if arguments.hold_out is not None:
        songs = select(songs, np.flatnonzero(songs.fold == arguments.hold_out))
        reading = _reading(arguments, corpus)
    pipeline = MusemoPipeline.from_pretrained(arguments.generator)
    pipeline.set_progress_bar_config(disable=True)
    report = examine_sound(pipeline, songs, range(arguments.seeds), arguments.n_real)
    if reading is not None:
        append_reading(arguments.log, reading)
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    head = f"Real songs: {corpus['name']}, {len(songs)} songs. The brackets hold their middle 80 %."
    table = f"{head}\n\n{sound_table(report)}"
    atomic_write(arguments.output_dir / "sound.md", table)
    atomic_write(arguments.output_dir / "sound.json", json.dumps(report, indent=1))
    atomic_write(arguments.output_dir / "sound.png", to_png(sound_picture(pipeline, songs)))
    for name, (valence, arousal) in PRESETS.items():
        pipeline(valence, arousal, seed=0).save(arguments.output_dir / f"{name.replace(' & ', '-')}.mp3")
    print(table)


def _reading(arguments: argparse.Namespace, corpus: dict[str, Any]) -> FoldReading | None:
    """Return the line of the log; None for songs that are made, as many as are wanted."""
    if corpus["procedural"]:
        return None
    recipe = arguments.config.stem if arguments.config else "default"
    folder = Path(arguments.generator)
    inner = folder / "generator"  # of a pipeline
    weights, command = weights_hash(inner if inner.is_dir() else folder), f"python {' '.join(sys.argv)}"
    note = "for a picture, the presets beside real songs; nothing was chosen"
    seeds = str(arguments.training_seed)
    reading = FoldReading(today(), corpus["name"], str(arguments.hold_out), recipe, seeds, weights, command, note)
    return check_reading(arguments.log, reading, read_again=True)


if __name__ == "__main__":
    main()
