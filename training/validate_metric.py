r"""Measure on real songs whether the evaluation distinguishes music from noise, and write the page.

    MUSEMO_PRETRAINED=DIR python training/validate_metric.py --data-dir DEAM --generator flow=flow \
        --generator GAN=generator --generator "texture flow=runs/flow_10s/generator"

A generator is a row of the table of the fold that was held out of its training. `report.json` in its folder, or in the
folder above, names the fold; where neither does, it is given as `NAME=FOLDER@FOLD`. A folder may be the name of a
packaged checkpoint. Generators that sample slowly are faster with `--bfloat16`.

The script writes docs/metric-validation.md and three pictures; `--json` keeps the numbers. Arrays take minutes on two
cores, sound (some 2,000 clips, which are inverted and embedded by YAMNet) half an hour. What was measured of sound is
kept in the user's cache, from which a run that was stopped goes on; that of arrays in `--cache-dir`. `--no-sound`
leaves out sound, and needs no YAMNet.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from accelerate import Accelerator

from musemo_hf import MusemoPipeline, embedded_checkpoint
from musemo_hf.experiments.metric_validation.page import write_page
from musemo_hf.experiments.metric_validation.sound_page import CORPUS
from musemo_hf.experiments.metric_validation.sound_validation import validate_sound
from musemo_hf.experiments.metric_validation.validation import load_excerpts, validate
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder
from musemo_hf.reporting.stored_report import held_out_fold
from musemo_hf.runner.argument_types import whole
from musemo_hf.training.configuration import DataSettings
from musemo_hf.training.corpus import load_songs

DOCS = Path(__file__).resolve().parent.parent / "docs"
COMMAND = "python training/validate_metric.py --data-dir DEAM"


class GivenGenerator(NamedTuple):
    """A generator of the command line: its text as written, the name of its row, its folder and its held-out fold."""

    written: str
    name: str
    folder: Path
    held_out_fold: int


def main() -> None:
    """Load the songs, measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="The folder of DEAM, in either layout.")
    parser.add_argument("--output-dir", type=Path, default=DOCS, help="The folder of the page.")
    parser.add_argument("--n-songs", type=whole(), help="The largest number of songs, for a quick look.")
    what = "The number of arrays of a set, at most a quarter of the songs."
    parser.add_argument("--n-clips", type=whole(), default=250, help=what)
    parser.add_argument("--n-sounds", type=whole(), default=120, help="The number of clips of a set of sound.")
    parser.add_argument(
        "--generator",
        action="append",
        default=[],
        type=given_generator,
        metavar="NAME=FOLDER[@FOLD]",
        help="A generator, or the name of a packaged one, and the fold that was held out of its training, where no "
        "report.json says so; can be given several times.",
    )
    parser.add_argument("--bfloat16", action="store_true", help="Generate with products in bfloat16, which is faster.")
    parser.add_argument("--cache-dir", type=Path, help="A folder that keeps what was measured of arrays.")
    parser.add_argument("--no-sound", action="store_true", help="Measure arrays alone.")
    parser.add_argument("--json", type=Path, help="A file to write the numbers to.")
    arguments = parser.parse_args()
    generators = {} if arguments.no_sound else load_generators(arguments.generator)  # what cannot be loaded ends here
    results = arrays(arguments)
    if not arguments.no_sound:
        results["sound"] = sound(arguments, generators)
    if arguments.json is not None:
        atomic_write(arguments.json, json.dumps(results, indent=1))
    given = "".join(f' --generator "{one.written}"' for one in arguments.generator)
    given += " --bfloat16" if arguments.bfloat16 else ""
    print(f"page: {write_page(results, arguments.output_dir, COMMAND + given)}")


def given_generator(value: str) -> GivenGenerator:
    """Return the generator of "NAME=FOLDER" or "NAME=FOLDER@FOLD".

    Raises:
        argparse.ArgumentTypeError: The value has another form, there is neither such a folder nor such a packaged
            checkpoint, or no fold is named, or two different ones.
    """
    form = "expected NAME=FOLDER or NAME=FOLDER@FOLD"
    name, _, place = value.partition("=")
    place, _, fold = place.rpartition("@") if re.search(r"@\d+$", place) else (place, "", "")
    if not (name and place):
        raise argparse.ArgumentTypeError(f"{form}, got {value!r}")
    try:
        folder = Path(embedded_checkpoint(place))
    except ValueError:
        folder = Path(place)
    if not folder.is_dir():
        what = "with the folder of a generator or the name of a packaged one"
        raise argparse.ArgumentTypeError(f"{form} {what}, got {value!r}")
    try:
        reported = held_out_fold(folder, CORPUS)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    held_out = int(fold) if fold else reported
    if held_out is None:
        where = f"report.json in {place} or the folder above to name the held-out fold of {CORPUS}, or it as @FOLD"
        raise argparse.ArgumentTypeError(f"expected {where}, got {value!r}")
    if reported not in (None, held_out):
        raise argparse.ArgumentTypeError(f"expected @{reported}, the held-out fold of its report.json, got {value!r}")
    return GivenGenerator(value, name, folder, held_out)


def load_generators(given: list[GivenGenerator]) -> dict[int, dict[str, Any]]:
    """Load the generators, by their held-out folds and names."""
    generators: dict[int, dict[str, Any]] = {}
    for one in given:
        own = generators.setdefault(one.held_out_fold, {})
        if one.name in own:
            raise ValueError(f"expected a name of its own for every generator, got {one.name} twice")
        own[one.name] = MusemoPipeline.from_pretrained(one.folder).generator
    return generators


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


def sound(arguments: argparse.Namespace, generators: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Measure sound, with the given generators."""
    settings = DataSettings(config_name="excerpt_10s", n_songs=arguments.n_songs)
    songs, _ = load_songs(settings, arguments.data_dir, Accelerator())
    sounds = SoundSets(yamnet_embedder())
    return validate_sound(songs, generators, sounds, n_clips=arguments.n_sounds, bfloat16=arguments.bfloat16)


if __name__ == "__main__":
    main()
