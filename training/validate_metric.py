"""Measure on real songs whether the quality report distinguishes music from noise, and write the page.

    python training/validate_metric.py --data-dir DEAM

The script writes docs/metric-validation.md and three pictures; `--json` keeps the numbers. It takes minutes on two
cores.
"""

import argparse
import json
from pathlib import Path

from musemo_hf.experiments.metric_validation.page import write_page
from musemo_hf.experiments.metric_validation.validation import load_excerpts, validate
from musemo_hf.files import atomic_write

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    """Load the songs, measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="The folder of DEAM, in either layout.")
    parser.add_argument("--output-dir", type=Path, default=DOCS, help="The folder of the page.")
    parser.add_argument("--n-songs", type=int, help="The largest number of songs, for a quick look.")
    parser.add_argument(
        "--n-clips", type=int, default=250, help="The number of clips of a set, at most a quarter of the songs."
    )
    parser.add_argument("--json", type=Path, help="A file to write the numbers to.")
    arguments = parser.parse_args()
    results = validate(load_excerpts(arguments.data_dir, arguments.n_songs), arguments.n_clips)
    if arguments.json is not None:
        atomic_write(arguments.json, json.dumps(results, indent=1))
    page = write_page(results, arguments.output_dir, "python training/validate_metric.py --data-dir DEAM")
    print(f"page: {page}")


if __name__ == "__main__":
    main()
