"""Measure on real songs what log-mel and inversion leave of them, and write the page.

    python training/measure_vocoder.py SONGS --corpus Emotify
    python training/measure_vocoder.py SONGS --corpus Emotify --vocoder cvssp/audioldm2
    python training/measure_vocoder.py SONGS --corpus Emotify --data-dir DEAM --fold 0

SONGS is a folder of audio files that no network was trained on. With `--data-dir`, the emotion that is recognised
before and after each channel is also compared with the labels of one fold of DEAM, by recognisers that are fitted to
the other folds, and docs/fold-readings.md gets a line.

The script writes docs/sound.md and its picture; `--json` keeps the numbers, so that only new channels are measured,
`--report-only` writes the page of them again, and `--sounds` writes songs before and after each channel, to be heard.
It takes about five minutes of one core for 120 songs, and ten more for a fold of DEAM.
"""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression, embedded_checkpoint
from musemo_hf.experiments.vocoders.channels import Channel, channels
from musemo_hf.experiments.vocoders.label_agreement import measure_against_labels
from musemo_hf.experiments.vocoders.labelled_songs import fit_without, read_fold
from musemo_hf.experiments.vocoders.measurement import measure, measure_conversion, read_songs
from musemo_hf.experiments.vocoders.page import write_page
from musemo_hf.experiments.vocoders.players import write_players
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder
from musemo_hf.pipelines.vocoders.load import load_vocoder
from musemo_hf.reporting.fold_readings import FoldReading, append_reading, check_reading, today
from musemo_hf.runner.argument_types import whole
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import load_songs

DOCS = Path(__file__).resolve().parent.parent / "docs"
CONFIGS = Path(__file__).parent / "configs"


def main() -> None:
    """Read the songs, measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path, help="The folder of songs.")
    parser.add_argument("--n-songs", type=whole(), help="The largest number of songs (default: all).")
    parser.add_argument("--corpus", default="songs of one folder", help="What the page calls the songs.")
    what = "The folder or repository of a vocoder to measure too; may be repeated."
    parser.add_argument("--vocoder", action="append", default=[], metavar="PATH_OR_REPO", help=what)
    what = "The folder of DEAM, for the emotion that is recognised against the labels of people."
    parser.add_argument("--data-dir", type=Path, help=what)
    parser.add_argument("--fold", type=whole(0), default=0, help="The fold of DEAM whose labels are read (default: 0).")
    parser.add_argument("--log", type=Path, default=DOCS / "fold-readings.md", help="The log of readings of folds.")
    parser.add_argument("--without-embedder", action="store_true", help="Leave out the figures by YAMNet.")
    parser.add_argument("--output-dir", type=Path, default=DOCS, help="The folder of the page.")
    what = "A file to write the numbers to; the channels of which it has some are not measured again."
    parser.add_argument("--json", type=Path, help=what)
    parser.add_argument("--report-only", action="store_true", help="Write the page of the numbers in --json.")
    parser.add_argument("--sounds", type=Path, metavar="DIR", help="A folder for three songs and a page of players.")
    arguments = parser.parse_args()
    if arguments.report_only and arguments.json is None:
        parser.error("--report-only needs --json")
    ways = channels({Path(name).name: load_vocoder(name) for name in arguments.vocoder})
    if arguments.report_only:
        results = json.loads(arguments.json.read_text(encoding="utf-8"))
    else:
        results = _measure(arguments, ways, _command(arguments))
    print(f"page: {write_page(results, ways, arguments.output_dir, _command(arguments), arguments.corpus)}")


def _command(arguments: argparse.Namespace) -> str:
    words = [f"python training/measure_vocoder.py SONGS --corpus {shlex.quote(arguments.corpus)}"]
    words += [f"--vocoder {name}" for name in arguments.vocoder]
    words += [f"--n-songs {arguments.n_songs}"] if arguments.n_songs else []
    words += [f"--data-dir DEAM --fold {arguments.fold}"] if arguments.data_dir else []
    return " ".join(words)


def _measure(arguments: argparse.Namespace, ways: dict[str, Channel], command: str) -> dict[str, Any]:
    songs = read_songs(arguments.songs, arguments.n_songs)
    folder = embedded_checkpoint("recogniser")
    recogniser = MusemoViTForEmotionRegression.from_pretrained(folder), MusemoFeatureExtractor.from_pretrained(folder)
    embedder = None if arguments.without_embedder else yamnet_embedder()
    path = arguments.json
    known = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.is_file() else None
    conversion = known["conversion"] if known else measure_conversion(arguments.songs)
    results = measure(songs, ways, embedder, recogniser, known=known) | {"conversion": conversion}
    results["labels"] = None if known is None else known.get("labels")
    _keep(arguments, results)
    if arguments.data_dir is not None:
        results["labels"] = _measure_labels(arguments, ways, embedder, results["labels"], command)
        _keep(arguments, results)
    if arguments.sounds is not None:
        print(f"players: {write_players(songs, ways, arguments.sounds)}")
    return results


def _keep(arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    if arguments.json is not None:
        atomic_write(arguments.json, json.dumps(results, indent=1))


def _measure_labels(
    arguments: argparse.Namespace, ways: dict[str, Channel], embedder: Any, known: Any, command: str
) -> dict[str, Any]:
    """Compare the recognised emotion with labels, by recognisers that are fitted to the other folds, and log it."""
    recipes = {
        "log-mel": ("recogniser_statistics_10s", None),
        "log-mel and YAMNet": ("recogniser_yamnet_10s", embedder),
    }
    recipes = {name: recipe for name, recipe in recipes.items() if name == "log-mel" or embedder is not None}
    configurations = {name: load_configuration(CONFIGS / f"{stem}.yaml") for name, (stem, _) in recipes.items()}
    songs, corpus = load_songs(configurations["log-mel"].data, arguments.data_dir, Accelerator())
    names = ", ".join(stem for stem, _ in recipes.values())
    reading = FoldReading(today(), corpus["name"], str(arguments.fold), names, "0", "not kept", command)
    if not corpus["procedural"]:
        reading = check_reading(arguments.log, reading)
    recognisers = {
        name: fit_without(arguments.fold, songs, configurations[name], arguments.data_dir, space)
        for name, (_, space) in recipes.items()
    }
    config_name = configurations["log-mel"].data.config_name
    held_out = read_fold(songs, arguments.data_dir, config_name, arguments.fold)
    found = measure_against_labels(held_out, ways, recognisers, known)
    if not corpus["procedural"]:
        append_reading(arguments.log, reading)
    return found


if __name__ == "__main__":
    main()
