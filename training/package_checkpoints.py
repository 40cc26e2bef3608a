r"""Make the checkpoints that the package carries, from an ablation and a recogniser.

    accelerate launch training/ablate.py --config training/configs/deam_10s.yaml --data-dir DEAM \
        --output-dir runs/deam_10s
    accelerate launch training/train_regressor.py --config training/configs/deam_10s.yaml --data-dir DEAM \
        --output-dir runs/recogniser --hold-out 0
    python training/package_checkpoints.py runs/deam_10s runs/recogniser

The generator is the first fold's, so that the songs of that fold are new to both; the report is the ablation's.
"""

import argparse
from pathlib import Path

import musemo_hf
from musemo_hf.hub.packaging import package_checkpoints


def main() -> None:
    """Replace the packaged checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ablation", type=Path, help="output folder of ablate.py")
    parser.add_argument("recogniser", type=Path, help="output folder of train_regressor.py")
    parser.add_argument("--target", type=Path, default=Path(musemo_hf.__file__).parent / "checkpoints")
    arguments = parser.parse_args()
    first = sorted(arguments.ablation.glob("*/generator"))[0]
    made = package_checkpoints(
        first, arguments.recogniser / "recogniser", arguments.ablation / "report.json", arguments.target
    )
    for name, folder in made.items():
        print(f"{name}: {folder}")


if __name__ == "__main__":
    main()
