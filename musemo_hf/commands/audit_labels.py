"""Show from the files alone that DEAM's static labels of 2013 have valence and arousal swapped.

musemo audit-labels DEAM --emomusic emomusic_2013 --output docs
"""

import argparse
import sys
import warnings
from pathlib import Path

from musemo_hf.commands.arguments import add_preparation

HELP = "Show that DEAM's labels of 2013 have valence and arousal swapped."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo audit-labels`."""
    add = parser.add_argument
    add("deam", type=Path, metavar="DEAM", help="The folder of DEAM.")
    add("--emomusic", type=Path, metavar="DIR", help="The folder of emoMusic's annotations.")
    add("--output", type=Path, default=Path("docs"), metavar="DIR", help="The folder of the page (default: docs).")
    add_preparation(parser)


def run(args: argparse.Namespace) -> int:
    """Write `deam-labels.md` and its picture, and print the evidence."""
    for folder in (args.deam, args.emomusic):
        if folder is not None and not folder.is_dir():
            raise ValueError(f"expected a folder, found none at {folder}")
    import datasets

    from musemo_hf.experiments.label_audit.evidence import audit_labels
    from musemo_hf.experiments.label_audit.page import write_audit

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of songs left out; the page has the counts
        audit = audit_labels(args.deam, args.emomusic, args.cache_dir, args.jobs)
    page = write_audit(audit, args.output)
    print(f"{audit.n_2013} songs of 2013, {audit.n_later} of 2014-15, {audit.n_artists} artists")
    print("correlation with loudness       valence_mean          arousal_mean")
    for years, name in (("later", "2014-15"), ("2013", "2013")):
        cells = [str(audit.loudness[years, column]) for column in ("valence_mean", "arousal_mean")]
        print(f"  songs of {name:<8}             {cells[0]:<21} {cells[1]}")
    print("predicted against published valence - arousal")
    print(f"  songs of 2014-15 {audit.difference['later']}, of 2013 {audit.difference['2013']}")
    if audit.emomusic is not None:
        print(f"equal to emoMusic under the opposite names: {audit.emomusic.equal_opposite:.1%} of {audit.emomusic.n}")
    print(f"page: {page}")
    return 0
