r"""Package checkpoints from an ablation or from one generator, and a recogniser.

From one generator, of `train_gan.py`, `train_flow.py` or a study, and a recogniser, both trained without fold 0:

    accelerate launch training/train_gan.py --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0 \
        --output-dir runs/gan
    accelerate launch training/train_regressor.py --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0 \
        --output-dir runs/recogniser
    python training/measure_generator.py runs/gan/generator runs/recogniser/recogniser \
        --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0
    python training/package_checkpoints.py runs/gan runs/recogniser

For a study the last two commands are

    python training/measure_generator.py runs/study/modern-seed0/generator runs/study/judge/recogniser \
        --config training/configs/study/budget.yaml --data-dir DEAM
    python training/package_checkpoints.py runs/study/modern-seed0 runs/study/judge

From an ablation, with the generator of the first fold, so that both were trained without that fold:

    accelerate launch training/ablate.py --config training/configs/deam_10s.yaml --data-dir DEAM \
        --output-dir runs/deam_10s
    python training/package_checkpoints.py runs/deam_10s runs/recogniser

The report is `report.json` in the folder of the run. For a recogniser trained on all songs no song is left to measure;
`--recogniser-report` then names the report of an ablation whose arm `real` is its recipe:

    accelerate launch training/train_regressor.py --config training/configs/budget.yaml --data-dir DEAM \
        --output-dir runs/recogniser_all
    python training/package_checkpoints.py runs/gan runs/recogniser_all --recogniser-report runs/ablation/report.json

Generators are stored in half precision; the script prints the difference in dB that this makes. `--flow` and `--gan`
package one that was trained and measured in the same way, and alone they replace only that one:

    python training/package_checkpoints.py --flow runs/flow
    python training/package_checkpoints.py --gan runs/gan

A recogniser alone, with the report of its recipe, replaces only that one; one with YAMNet becomes `recogniser-yamnet`:

    python training/train_regressor.py --config training/configs/recogniser_statistics_10s.yaml --data-dir DEAM \
        --output-dir runs/statistics
    python training/evaluate_recognisers.py --data-dir DEAM --output-dir runs/recognisers
    python training/package_checkpoints.py --recogniser runs/statistics \
        --recogniser-report runs/recognisers/report-statistics.json
"""

import argparse
from pathlib import Path

import musemo_hf
from musemo_hf import MusemoViTConfig
from musemo_hf.hub.packaging import package_checkpoints, package_generator, package_recogniser, rounding

ALONE = {"gan": "generator", "flow": "flow"}  # generators that are packaged alone, and the names of their folders


def main() -> None:
    """Replace the packaged checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "run", type=Path, nargs="?", help="The output folder of ablate.py or train_gan.py, or of a variant."
    )
    parser.add_argument(
        "recogniser", type=Path, nargs="?", help="The output folder of train_regressor.py, or runs/study/judge."
    )
    parser.add_argument("--target", type=Path, default=Path(musemo_hf.__file__).parent / "checkpoints")
    for kind in ALONE:
        parser.add_argument(f"--{kind}", type=Path, help=f"The output folder of train_{kind}.py, with a report.")
    parser.add_argument(
        "--recogniser", dest="alone", type=Path, help="The output folder of train_regressor.py, to package alone."
    )
    parser.add_argument(
        "--recogniser-report", type=Path, help="The report of the recogniser's recipe: of an ablation or comparison."
    )
    arguments = parser.parse_args()
    if arguments.alone is not None and arguments.recogniser_report is None:
        parser.error("expected --recogniser-report with --recogniser, got none")
    if (arguments.run is None) != (arguments.recogniser is None):
        parser.error("expected the folders of a generator and of a recogniser, or neither, got a generator's alone")
    generators = {name: getattr(arguments, kind) for kind, name in ALONE.items() if getattr(arguments, kind)}
    if arguments.run is None and not generators and arguments.alone is None:
        parser.error("expected the folders of a generator and of a recogniser, --gan, --flow or --recogniser, got none")
    made, sources = {}, {name: run / "generator" for name, run in generators.items()}
    if arguments.run is not None:
        sources["generator"] = find_generator(arguments.run)
        made = package_checkpoints(
            sources["generator"],
            arguments.recogniser / "recogniser",
            arguments.run / "report.json",
            arguments.target,
            arguments.recogniser_report,
        )
    for name, run in generators.items():
        made[name] = package_generator(run / "generator", run / "report.json", arguments.target, name)
    if arguments.alone is not None:
        folder = arguments.alone / "recogniser"
        embedder = MusemoViTConfig.from_pretrained(folder).embedder
        name = "recogniser" if embedder is None else "recogniser-yamnet"
        made[name] = package_recogniser(folder, arguments.recogniser_report, arguments.target, name)
    for name, folder in made.items():
        print(f"{name}: {folder}")
        if name in sources:
            mean, largest = rounding(sources[name], folder)
            print(f"{name}: half precision changes clips by {mean:.4f} dB on average, {largest:.2f} dB at most")


def find_generator(run: Path) -> Path:
    """Return the generator of a run, for an ablation that of the first fold.

    Raises:
        FileNotFoundError: There is none.
    """
    found = [run / "generator", *sorted(run.glob("*/generator"))]
    for folder in found:
        if (folder / "config.json").is_file():
            return folder
    raise FileNotFoundError(f"expected a generator in {run}/generator or {run}/*/generator, found none")


if __name__ == "__main__":
    main()
