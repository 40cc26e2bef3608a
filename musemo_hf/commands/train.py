"""Fine-tune on your own music: a recogniser on songs with labels, or a generator on songs without.

musemo train music --labels labels.csv --output mine
musemo train music --generator flow --output mine
musemo predict song.mp3 --checkpoint mine/recogniser
musemo generate --preset happy --checkpoint mine/generator --output happy.wav

labels.csv has the columns file, valence and arousal, in [-1, 1]; a file is named by its path in the folder. The
packaged recogniser then also learns what it gets wrong about these songs, in closed form and in seconds. The command
prints how well it agrees with the labels before and after, where each song is predicted without the songs of its
artist.

With --generator a generator learns from the songs, with emotions that the recogniser predicts (pseudo-labels); with
--labels too, that is the recogniser which was fine-tuned. A training that was stopped is resumed by the same command.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from musemo_hf.commands.arguments import add_recogniser
from musemo_hf.commands.checkpoints import find_checkpoint, load_recogniser
from musemo_hf.commands.pseudo_label import recogniser_name

if TYPE_CHECKING:
    from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression

HELP = "Fine-tune a recogniser or train a generator on your own music."
CONFIGS = Path(__file__).resolve().parents[1] / "training_configs"  # in the repository a link, in a wheel a folder
GENERATORS = {"flow": "flow_30s.yaml", "gan": "gan_30s.yaml", "unet": "unet_10s.yaml"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `musemo train`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="The folder of songs (wav, flac, ogg or mp3), at any depth.")
    what = "A table of the emotions that people gave the songs, with the columns file, valence and arousal."
    add("--labels", type=Path, metavar="FILE.csv", help=what)
    add("--generator", choices=sorted(GENERATORS), help="Train a generator of this kind on the songs.")
    add_recogniser(parser)
    what = (
        "The configuration of the generator: a YAML file, or the name of one of the package, such as flow_10s.yaml "
        f"(default: {', '.join(f'{name} for {kind}' for kind, name in GENERATORS.items())})."
    )
    add("--config", metavar="FILE_OR_NAME", help=what)
    what = "Change single values of the configuration, such as flow_training.steps=2000."
    add("--set", nargs="*", action="extend", default=[], metavar="SECTION.KEY=VALUE", help=what)
    what = "The folder of the results: recogniser/, generator/ and, for a generator, corpus/."
    add("--output", type=Path, required=True, metavar="DIR", help=what)


def run(args: argparse.Namespace) -> int:
    """Write the recogniser, the generator, or both, and print how well the recogniser agrees with the labels."""
    config = _check(args)
    model, extractor = load_recogniser(args.recogniser)
    name = recogniser_name(args.recogniser)
    if args.labels is not None:
        _fine_tune(args, model, extractor)
        name = recogniser_name(str(args.output / "recogniser"))
    if config is not None:
        _train_generator(args, config, model, extractor, name)
    return 0


def _check(args: argparse.Namespace) -> Path | None:
    """Refuse what cannot work before anything is loaded, and return the configuration of the generator.

    Raises:
        ValueError: There is no such folder, table, configuration or recogniser, or nothing to do.
    """
    if not args.folder.is_dir():
        raise ValueError(f"expected a folder of songs, found none at {args.folder}")
    if args.labels is None and args.generator is None:
        raise ValueError("expected --labels for a recogniser, --generator for a generator, or both, got neither")
    if args.labels is not None and not args.labels.is_file():
        raise ValueError(f"expected a table as --labels, found no file at {args.labels}")
    if args.output.is_file():
        raise ValueError(f"expected a folder as --output, got the file {args.output}")
    if args.generator is None and (args.config is not None or args.set):
        raise ValueError("expected --generator with --config and --set, which are settings of a generator")
    find_checkpoint(args.recogniser, "recogniser")
    if args.generator is None:
        return None
    given = Path(args.config or GENERATORS[args.generator])
    config = given if given.is_file() else CONFIGS / given
    if not config.is_file():
        names = ", ".join(sorted(path.name for path in CONFIGS.glob("*.yaml")))
        raise ValueError(f"expected a YAML file as --config, or one of {names}, got {given}")
    return config


def _fine_tune(
    args: argparse.Namespace, model: "MusemoViTForEmotionRegression", extractor: "MusemoFeatureExtractor"
) -> None:
    from musemo_hf.data.emotion_table import read_emotions
    from musemo_hf.files import atomic_folder, atomic_write
    from musemo_hf.reporting.numbers import with_interval
    from musemo_hf.training.recogniser.adaptation import adapt_recogniser

    emotions = {args.folder / file: emotion for file, emotion in read_emotions(args.labels).items()}
    if missing := [path for path in emotions if not path.is_file()]:
        raise ValueError(f"{args.labels}: expected files in {args.folder}, found no {missing[0].name} ({len(missing)})")
    adapted = adapt_recogniser(model, extractor, emotions)
    agreement, folder = adapted.agreement(), args.output / "recogniser"
    n_songs, n_artists = len(adapted.labels), len(set(adapted.artists))
    title = f"{n_songs} songs of {args.folder.resolve().name}"
    after = agreement["after"]
    report = {
        "ccc_real_only": {"value": after["ccc_mean"], "interval": after["ccc_mean_interval"]},
        "corpus": {"name": title, "n_songs": n_songs, "n_artists": n_artists, "own": True},
        "agreement": agreement,
        "command": args.command_line,
        "findings": [
            "Fine-tuned from another recogniser. The agreement is of predictions without the songs of the same artist."
        ],
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as part:
        model.save_pretrained(part)
        extractor.save_pretrained(part)
        atomic_write(part / "report.json", json.dumps(report, indent=1, default=float))
    print(f"recogniser  {folder}, fine-tuned on {n_songs} songs by {n_artists} artists")
    for side, words in (("before", "as it was"), ("after", "fine-tuned, without the songs of the artist")):
        found, ends = agreement[side], agreement[side]["ccc_interval"] or [None, None]
        cells = [with_interval(value, end, 2) for value, end in zip(found["ccc"], ends, strict=True)]
        print(f"            CCC with your labels, {words}: valence {cells[0]}, arousal {cells[1]}")
    for file, reason in adapted.skipped.items():
        print(f"            left out: {file}: {reason}")


def _train_generator(
    args: argparse.Namespace,
    config: Path,
    model: "MusemoViTForEmotionRegression",
    extractor: "MusemoFeatureExtractor",
    name: str,
) -> None:
    from musemo_hf.pipelines.pseudo_labelling import label_folder
    from musemo_hf.training.launch import train_generator

    corpus = label_folder(args.folder, args.output / "corpus", model, extractor, name).corpus
    print(f"corpus      {args.output / 'corpus'}: {corpus.title}")
    settings = {"config": config, "set": args.set, "data_dir": args.output / "corpus", "output_dir": args.output}
    settings |= {"hold_out": None, "accept_other_hardware": False, "verbose": False}
    train_generator(args.generator, argparse.Namespace(**settings))
