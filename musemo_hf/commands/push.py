"""Push a model, a data set, the metrics or the page to the Hub, with its card.

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

HELP = "push a model, a data set, the metrics or the page to the Hub"
KINDS = ("generator", "recogniser", "pipeline", "dataset", "metric", "space")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `musemo push`; the token comes from HF_TOKEN or `hf auth login`, never from a command line."""
    parser.add_argument("kind", choices=KINDS, help="what to push")
    parser.add_argument("repo", help='the repository, "user/name"')
    parser.add_argument("--checkpoint", type=Path, help="models: folder of a checkpoint; the packaged one by default")
    parser.add_argument("--report", type=Path, help="models and space: report.json of the ablation, for the card")
    parser.add_argument("--no-sample", action="store_true", help="generator and pipeline: no picture, no sound")
    parser.add_argument("--data", type=Path, help="dataset: folder of DEAM")
    parser.add_argument(
        "--config",
        action="append",
        choices=("excerpt_30s", "excerpt_10s"),
        help="dataset: configuration, may be repeated; excerpt_30s by default",
    )
    parser.add_argument("--labels", choices=("corrected", "published"), default="corrected", help="dataset")
    parser.add_argument("--cache", type=Path, help="dataset: where it is prepared; the cache of datasets by default")
    parser.add_argument("--folder", type=Path, help="space: its folder; the repository's spaces_demo/ by default")
    parser.add_argument("--private", action="store_true", help="make the repository, if it is made, private")
    parser.add_argument("--tag", help="a name for the pushed revision, such as v1")


def run(args: argparse.Namespace) -> int:
    """Push, print the commit, and return the exit status: 1 where the Hub or the input says no."""
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
        check_type(str(args.checkpoint), name)  # or random weights would be published
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
    if heard := read_manifest(args.data):
        raise ValueError(f"expected DEAM, whose labels are of people, as the card says, got {heard.title}")
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
