r"""Make the checkpoints that the package carries, from an ablation or from one generator, and a recogniser.

From one generator, of `train_gan.py`, `train_flow.py` or a study, and a recogniser, both trained without fold 0:

    accelerate launch training/train_gan.py --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0 \
        --output-dir runs/gan
    accelerate launch training/train_regressor.py --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0 \
        --output-dir runs/recogniser
    python training/measure_generator.py runs/gan/generator runs/recogniser/recogniser \
        --config training/configs/deam_10s.yaml --data-dir DEAM --hold-out 0
    python training/package_checkpoints.py runs/gan runs/recogniser

of a study the last two are

    python training/measure_generator.py runs/study/modern-seed0/generator runs/study/judge/recogniser \
        --config training/configs/study/budget.yaml --data-dir DEAM
    python training/package_checkpoints.py runs/study/modern-seed0 runs/study/judge

From an ablation, of which the first fold's generator is taken, so that the songs of that fold are new to both:

    accelerate launch training/ablate.py --config training/configs/deam_10s.yaml --data-dir DEAM \
        --output-dir runs/deam_10s
    python training/package_checkpoints.py runs/deam_10s runs/recogniser

The report is that of the run: `report.json` in its folder. A recogniser trained on all songs has nothing left to be
measured on; `--recogniser-report` then names the report of an ablation whose arm `real` is its recipe:

    accelerate launch training/train_regressor.py --config training/configs/budget.yaml --data-dir DEAM \
        --output-dir runs/recogniser_all
    python training/package_checkpoints.py runs/gan runs/recogniser_all --recogniser-report runs/ablation/report.json

With `--flow runs/flow` a flow, trained and measured as the generator was, stands beside them in half precision; alone,
it replaces nothing but the flow:

    python training/package_checkpoints.py --flow runs/flow
"""

import argparse
from pathlib import Path

import musemo_hf
from musemo_hf.hub.packaging import package_checkpoints, package_flow


def main() -> None:
    """Replace the packaged checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", help="output folder of ablate.py or train_gan.py, or of a rung")
    parser.add_argument("recogniser", type=Path, nargs="?", help="output folder of train_regressor.py, or a judge")
    parser.add_argument("--target", type=Path, default=Path(musemo_hf.__file__).parent / "checkpoints")
    parser.add_argument("--flow", type=Path, help="output folder of train_flow.py, measured: packaged beside them")
    parser.add_argument("--recogniser-report", type=Path, help="report.json of an ablation with its recipe")
    arguments = parser.parse_args()
    if (arguments.run is None) != (arguments.recogniser is None):
        parser.error("expected the folders of a generator and of a recogniser, or neither, got a generator's alone")
    if arguments.run is None and arguments.flow is None:
        parser.error("expected the folders of a generator and of a recogniser, --flow, or all three, got nothing")
    made = {}
    if arguments.run is not None:
        made = package_checkpoints(
            find_generator(arguments.run),
            arguments.recogniser / "recogniser",
            arguments.run / "report.json",
            arguments.target,
            arguments.recogniser_report,
        )
    if arguments.flow is not None:
        made["flow"] = package_flow(arguments.flow / "generator", arguments.flow / "report.json", arguments.target)
    for name, folder in made.items():
        print(f"{name}: {folder}")


def find_generator(run: Path) -> Path:
    """The run's generator; of an ablation the first fold's.

    Raises:
        FileNotFoundError: there is none.
    """
    found = [run / "generator", *sorted(run.glob("*/generator"))]
    for folder in found:
        if (folder / "config.json").is_file():
            return folder
    raise FileNotFoundError(f"expected a generator in {run}/generator or {run}/*/generator, found none")


if __name__ == "__main__":
    main()
