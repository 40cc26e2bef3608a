"""Push a model, a data set, a metric or the Space to the Hub, with its card.

musemo push generator user/musemo-generator
musemo push generator user/musemo-flow --checkpoint runs/flow/generator --report runs/flow/report.json
musemo push dataset user/deam-spectrograms --data DEAM

The token comes from HF_TOKEN or `hf auth login`.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from musemo_hf.commands.checkpoints import find_checkpoint

HELP = "Push a model, a data set, a metric or the Space to the Hub."
# kind -> the options that it takes beside those of every push
KINDS: dict[str, tuple[str, ...]] = {
    "generator": ("checkpoint", "report", "no_sample"),
    "recogniser": ("checkpoint", "report"),
    "pipeline": ("checkpoint", "report", "no_sample", "vocoder"),
    "dataset": ("data", "config", "labels", "cache"),
    "metric": (),
    "space": ("folder", "report"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo push`; the token never comes from a command line."""
    add = parser.add_argument
    add("kind", choices=tuple(KINDS), help="The kind of repository.")
    add("repo", help='The repository as "user/name".')
    what = "Models: the folder of a checkpoint, or a packaged one: flow (default), generator or recogniser (default)."
    add("--checkpoint", metavar="PATH", help=what)
    add("--report", type=Path, help="Models and Space: the report.json for the card.")
    add("--no-sample", action="store_true", help="Generator and pipeline: push no picture and no sounds.")
    what = "Pipeline: the folder or repository of a vocoder (default: the checkpoint's own, else Griffin-Lim)."
    add("--vocoder", metavar="PATH_OR_REPO", help=what)
    add("--data", type=Path, help="Data set: the folder of DEAM.")
    what = "Data set: a configuration; may be repeated (default: excerpt_30s)."
    add("--config", action="append", choices=("excerpt_30s", "excerpt_10s"), help=what)
    what = "Data set: the labels of the songs of 2013 (default: corrected)."
    add("--labels", choices=("corrected", "published"), help=what)
    add("--cache", type=Path, help="Data set: the folder of prepared data sets (default: the cache of datasets).")
    add("--folder", type=Path, help="Space: the folder of the Space (default: that of the package).")
    add("--private", action="store_true", help="Make the repository private if it is created.")
    add("--tag", help="A name for the pushed revision, such as v1.")


def run(args: argparse.Namespace) -> int:
    """Push, and print the commit; the exit status is 1 where the Hub or the input refuses."""
    _check_options(args)
    if not re.fullmatch(r"[^/\s]+/[^/\s]+", args.repo):
        raise ValueError(f"expected a repository as user/name, got {args.repo!r}")
    from musemo_hf.hub import HubPushError

    try:
        commit = _push(args, {"private": args.private, "tag": args.tag})
    except (HubPushError, ValueError, OSError) as error:
        print(f"musemo push: {error}", file=sys.stderr)
        return 1
    print(f"{args.repo} is at {commit}")
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that another kind of repository takes, and files that are not there.

    Raises:
        ValueError: There is one.
    """
    others = sorted({name for names in KINDS.values() for name in names} - set(KINDS[args.kind]))
    if wrong := [f"--{name.replace('_', '-')}" for name in others if getattr(args, name) not in (None, False)]:
        raise ValueError(f"expected no {' or '.join(wrong)} with {args.kind}, which has no use for it")
    if args.report is not None and not args.report.is_file():
        raise ValueError(f"expected a report.json as --report, found no file at {args.report}")
    if args.kind == "dataset" and args.data is None:
        raise ValueError("expected the folder of DEAM, as in --data DEAM, got none")
    if args.kind in ("generator", "pipeline", "recogniser"):
        _checkpoint(args)


def _push(args: argparse.Namespace, options: dict[str, Any]) -> str:
    from musemo_hf import hub
    from musemo_hf.reporting.stored_report import read_report

    if args.kind == "dataset":
        return hub.push_dataset(args.repo, _data_sets(args), labels=args.labels or "corrected", **options)
    if args.kind == "metric":
        return hub.push_metric(args.repo, **options)
    report = read_report(args.report) if args.report else None
    if args.kind == "space":
        return hub.push_space(args.repo, args.folder, report, **options)
    if args.kind == "recogniser":
        return hub.push_recogniser(args.repo, _checkpoint(args), report, **options)
    checkpoint, sample = _checkpoint(args), not args.no_sample
    if args.kind == "generator":
        return hub.push_generator(args.repo, checkpoint, report, sample, **options)
    return hub.push_pipeline(args.repo, checkpoint, report, sample, args.vocoder, **options)


def _checkpoint(args: argparse.Namespace) -> Path:
    """Return the folder of the checkpoint that `musemo generate` or `musemo predict` would use."""
    name = "recogniser" if args.kind == "recogniser" else "generator"
    folder = Path(find_checkpoint(args.checkpoint, name))
    if not folder.is_dir():
        raise ValueError(f"expected the folder of a {name} as --checkpoint, got {args.checkpoint}")
    return folder


def _data_sets(args: argparse.Namespace) -> dict[str, Any]:
    from musemo_hf import DeamSpectrograms
    from musemo_hf.data.pseudo_labels import read_manifest

    if pseudo_labels := read_manifest(args.data):
        raise ValueError(f"expected DEAM with labels of people, as the card says, got {pseudo_labels.title}")
    data_sets = {}
    for name in args.config or ["excerpt_30s"]:
        labels = args.labels or "corrected"
        builder = DeamSpectrograms(config_name=name, data_dir=args.data, labels=labels, cache_dir=args.cache)
        builder.download_and_prepare()
        data_sets[name] = builder.as_dataset("train")
    return data_sets
