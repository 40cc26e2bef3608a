"""Compare recognisers out of fold: log-mels alone, taught with external data, and with an external embedding.

    python training/evaluate_recognisers.py --data-dir DEAM --output-dir runs/recognisers
    python training/evaluate_recognisers.py --data-dir DEAM --output-dir runs/recognisers --embedder none

Every result is kept, so that the run may be stopped at any time; further processes that are given the folder share the
work. `--network RUN` adds what a network adds, from an ablation of the network alone:

    accelerate launch training/ablate.py --config training/configs/recogniser_network_10s.yaml --data-dir DEAM \
        --output-dir runs/network

Results, in the output folder: `recogniser.md`, `report.json`, and `report-<recipe>.json`, from which
`package_checkpoints.py` fills a card.
"""

import argparse
import logging
import sys
from pathlib import Path

from accelerate import Accelerator

from musemo_hf.experiments.recognisers.comparison import RecogniserComparison, embed_songs, run_comparison
from musemo_hf.experiments.recognisers.report import build_report, write_report
from musemo_hf.pipelines.embedders.find import find_embedder
from musemo_hf.runner.argument_types import whole
from musemo_hf.runner.options import add_arguments, make_engine
from musemo_hf.training.configuration import DataSettings
from musemo_hf.training.corpus import load_songs


def main() -> int:
    """Run the comparison, write its report, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="The folder of DEAM (default: the demonstration corpus).")
    parser.add_argument("--output-dir", type=Path, default=Path("runs/recognisers"), help="The folder of the results.")
    parser.add_argument("--embedder", default="yamnet", help="An embedder of audio, or none (default: yamnet).")
    parser.add_argument("--network", type=Path, metavar="RUN", help="The ablation of the network alone.")
    parser.add_argument("--seeds", type=whole(0), nargs="+", default=[0, 1, 2], help="The seeds (default: 0 1 2).")
    add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.embedder != "none" and arguments.data_dir is None:
        parser.error("expected --data-dir with the audio of the songs, or --embedder none, got neither")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    songs, corpus = load_songs(DataSettings(), arguments.data_dir, Accelerator())
    embedding = name = None
    if arguments.embedder != "none":
        name = find_embedder(arguments.embedder).name
        embedding = embed_songs(songs, arguments.data_dir, arguments.embedder)
    comparison = RecogniserComparison(songs, embedding, name, arguments.output_dir, tuple(arguments.seeds))
    outcome = run_comparison(comparison, make_engine(arguments, 1))
    if outcome.failed or outcome.left:
        return 1
    report = build_report(comparison, corpus, " ".join(["python", *sys.argv]), arguments.network)
    page = write_report(report, arguments.output_dir)
    print(f"{page.read_text(encoding='utf-8')}\nreport: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
