r"""Measure on real songs whether the evaluation distinguishes music from noise, and write the page.

    MUSEMO_PRETRAINED=DIR python training/validate_metric.py --data-dir DEAM \
        --generator "texture flow=runs/flow_10s/generator" --generator GAN=runs/gan_10s/generator

Generators are rows of the table of sound; they must have been trained without fold 0.

The script writes docs/metric-validation.md and three pictures; `--json` keeps the numbers. Arrays take minutes on two
cores, sound (some 2,000 clips, which are inverted and embedded by YAMNet) half an hour. What was measured of sound is
kept in the user's cache, from which a run that was stopped goes on; that of arrays in `--cache-dir`. `--no-sound`
leaves out sound, and needs no YAMNet.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from musemo_hf import MusemoPipeline
from musemo_hf.experiments.metric_validation.page import write_page
from musemo_hf.experiments.metric_validation.sound_validation import validate_sound
from musemo_hf.experiments.metric_validation.validation import load_excerpts, validate
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder
from musemo_hf.training.configuration import DataSettings
from musemo_hf.training.corpus import load_songs

DOCS = Path(__file__).resolve().parent.parent / "docs"
COMMAND = "python training/validate_metric.py --data-dir DEAM"


def main() -> None:
    """Load the songs, measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="The folder of DEAM, in either layout.")
    parser.add_argument("--output-dir", type=Path, default=DOCS, help="The folder of the page.")
    parser.add_argument("--n-songs", type=int, help="The largest number of songs, for a quick look.")
    parser.add_argument(
        "--n-clips",
        type=int,
        default=250,
        help="The number of arrays of a set, at most a quarter of the songs.",
    )
    parser.add_argument("--n-sounds", type=int, default=120, help="The number of clips of a set of sound.")
    parser.add_argument(
        "--generator",
        action="append",
        default=[],
        type=named_folder,
        metavar="NAME=FOLDER",
        help="A generator that was trained without fold 0; can be given several times.",
    )
    parser.add_argument("--cache-dir", type=Path, help="A folder that keeps what was measured of arrays.")
    parser.add_argument("--no-sound", action="store_true", help="Measure arrays alone.")
    parser.add_argument("--json", type=Path, help="A file to write the numbers to.")
    arguments = parser.parse_args()
    results = arrays(arguments)
    if not arguments.no_sound:
        results["sound"] = sound(arguments)
    if arguments.json is not None:
        atomic_write(arguments.json, json.dumps(results, indent=1))
    given = "".join(f' --generator "{name}={folder}"' for name, folder in arguments.generator)
    print(f"page: {write_page(results, arguments.output_dir, COMMAND + given)}")


def named_folder(value: str) -> tuple[str, Path]:
    """Return the name and the folder of "NAME=FOLDER".

    Raises:
        argparse.ArgumentTypeError: The value has another form, or there is no such folder.
    """
    name, sign, folder = value.partition("=")
    if not (name and sign and Path(folder).is_dir()):
        raise argparse.ArgumentTypeError(f"expected NAME=FOLDER with the folder of a generator, got {value!r}")
    return name, Path(folder)


def arrays(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure arrays, or read the measurements of the cache folder."""
    kept = (
        None
        if arguments.cache_dir is None
        else arguments.cache_dir / f"arrays-{arguments.n_songs}-{arguments.n_clips}.json"
    )
    if kept is not None and kept.is_file():
        return json.loads(kept.read_text())
    results = validate(load_excerpts(arguments.data_dir, arguments.n_songs), arguments.n_clips)
    if kept is not None:
        atomic_write(kept, json.dumps(results))
    return results


def sound(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure sound, with the given generators."""
    settings = DataSettings(config_name="excerpt_10s", n_songs=arguments.n_songs)
    songs, _ = load_songs(settings, arguments.data_dir, Accelerator())
    generators = {name: MusemoPipeline.from_pretrained(folder).generator for name, folder in arguments.generator}
    sounds = SoundSets(yamnet_embedder())
    return validate_sound(songs, generators, sounds, n_clips=arguments.n_sounds)


if __name__ == "__main__":
    main()
