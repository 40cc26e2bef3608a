"""Push a model, a data set, a metric or the Space to the Hub, with its card.

musemo push generator user/musemo-generator
musemo push generator user/musemo-flow --checkpoint runs/flow/generator --report runs/flow/report.json
musemo push dataset user/deam-spectrograms --data DEAM

The token comes from HF_TOKEN or `hf auth login`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HELP = "push a model, a data set, a metric or the Space to the Hub"
KINDS = ("generator", "recogniser", "pipeline", "dataset", "metric", "space")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo push`; the token never comes from a command line."""
    parser.add_argument("kind", choices=KINDS, help="The kind of repository.")
    parser.add_argument("repo", help='The repository as "user/name".')
    what = "Models: the folder of a checkpoint (default: the packaged one)."
    parser.add_argument("--checkpoint", type=Path, help=what)
    parser.add_argument("--report", type=Path, help="Models and Space: the report.json for the card.")
    what = "Generator and pipeline: push no picture and no sound."
    parser.add_argument("--no-sample", action="store_true", help=what)
    parser.add_argument("--data", type=Path, help="Data set: the folder of DEAM.")
    what = "Data set: a configuration; may be repeated (default: excerpt_30s)."
    parser.add_argument("--config", action="append", choices=("excerpt_30s", "excerpt_10s"), help=what)
    what = "Data set: the labels of the songs of 2013 (default: corrected)."
    parser.add_argument("--labels", choices=("corrected", "published"), default="corrected", help=what)
    what = "Data set: the folder of prepared data sets (default: the cache of datasets)."
    parser.add_argument("--cache", type=Path, help=what)
    what = "Space: the folder of the Space (default: spaces_demo of the repository)."
    parser.add_argument("--folder", type=Path, help=what)
    parser.add_argument("--private", action="store_true", help="Make the repository private if it is created.")
    parser.add_argument("--tag", help="A name for the pushed revision, such as v1.")


def run(args: argparse.Namespace) -> int:
    """Push, and print the commit; the exit status is 1 where the Hub or the input refuses."""
    from musemo_hf.hub import HubPushError

    try:
        commit = _PUSH[args.kind](args, {"private": args.private, "tag": args.tag})
    except (HubPushError, ValueError, OSError) as error:
        print(f"musemo push: {error}", file=sys.stderr)
        return 1
    print(f"{args.repo} is at {commit}")
    return 0


def _report(args: argparse.Namespace) -> dict[str, Any] | None:
    return json.loads(args.report.read_text(encoding="utf-8")) if args.report else None


def _checkpoint(args: argparse.Namespace, name: str) -> Path:
    from musemo_hf import embedded_checkpoint
    from musemo_hf.commands.checkpoints import check_type

    if args.checkpoint is None:
        return Path(embedded_checkpoint(name))
    if args.checkpoint.is_dir() and not (args.checkpoint / "model_index.json").is_file():
        check_type(str(args.checkpoint), name)  # otherwise random weights would be published
    return args.checkpoint


def _generator(args: argparse.Namespace, options: dict[str, Any]) -> str:
    from musemo_hf.hub import push_generator

    checkpoint = _checkpoint(args, "generator")
    return push_generator(args.repo, checkpoint, _report(args), sample=not args.no_sample, **options)


def _recogniser(args: argparse.Namespace, options: dict[str, Any]) -> str:
    from musemo_hf.hub import push_recogniser

    return push_recogniser(args.repo, _checkpoint(args, "recogniser"), _report(args), **options)


def _pipeline(args: argparse.Namespace, options: dict[str, Any]) -> str:
    from musemo_hf.hub import push_pipeline

    checkpoint = _checkpoint(args, "generator")
    return push_pipeline(args.repo, checkpoint, _report(args), sample=not args.no_sample, **options)


def _dataset(args: argparse.Namespace, options: dict[str, Any]) -> str:
    from musemo_hf import DeamSpectrograms
    from musemo_hf.data.pseudo_labels import read_manifest
    from musemo_hf.hub import push_dataset

    if args.data is None:
        raise ValueError("expected the folder of DEAM, as in --data DEAM, got none")
    if pseudo_labels := read_manifest(args.data):
        raise ValueError(f"expected DEAM with labels of people, as the card says, got {pseudo_labels.title}")
    configs = {}
    for name in args.config or ["excerpt_30s"]:
        builder = DeamSpectrograms(config_name=name, data_dir=args.data, labels=args.labels, cache_dir=args.cache)
        builder.download_and_prepare()
        configs[name] = builder.as_dataset("train")
    return push_dataset(args.repo, configs, labels=args.labels, **options)


def _metric(args: argparse.Namespace, options: dict[str, Any]) -> str:
    from musemo_hf.hub import push_metric

    return push_metric(args.repo, **options)


def _space(args: argparse.Namespace, options: dict[str, Any]) -> str:
    from musemo_hf.hub import push_space

    return push_space(args.repo, args.folder, _report(args), **options)


_PUSH = {
    "generator": _generator,
    "recogniser": _recogniser,
    "pipeline": _pipeline,
    "dataset": _dataset,
    "metric": _metric,
    "space": _space,
}
