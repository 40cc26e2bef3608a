"""What the scripts that measure a generator on songs of its training share: arguments, songs and files."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from musemo_hf.data.arrays import SongArrays
from musemo_hf.files import atomic_write
from musemo_hf.reporting.provenance import versions
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import hold_out, load_songs
from musemo_hf.training.launch import generator_parser


def measurement_parser(description: str | None, generator: str, output_dir: str) -> ArgumentParser:
    """Return a parser with the generator, the choice of songs, the precision and the output folder.

    Args:
        description: The docstring of the script.
        generator: The help on the generator.
        output_dir: The default output folder.
    """
    parser = generator_parser(description, generator, str)
    parser.add_argument("--bfloat16", action="store_true", help="Generate with products in bfloat16, which is faster.")
    parser.add_argument("--output-dir", type=Path, default=Path(output_dir))
    return parser


def training_songs(arguments: Namespace) -> tuple[SongArrays, dict[str, Any]]:
    """Return the songs outside the held-out fold, and the description of the corpus."""
    songs, corpus = load_songs(load_configuration(arguments.config).data, arguments.data_dir, Accelerator())
    return hold_out(songs, arguments.hold_out), corpus


def write_measurement(
    arguments: Namespace, name: str, corpus: dict[str, Any], figures: dict[str, Any], table: str
) -> None:
    """Write NAME.json, with the command and versions, and NAME.md in the output folder, and print the table."""
    report = {"command": f"python {' '.join(sys.argv)}", "corpus": corpus, "held_out_fold": arguments.hold_out}
    report |= figures | {"versions": versions()}
    atomic_write(arguments.output_dir / f"{name}.json", json.dumps(report, indent=1, default=float))
    atomic_write(arguments.output_dir / f"{name}.md", table)
    print(table)
