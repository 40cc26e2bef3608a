r"""Run on a borrowed GPU what only a GPU can show: the GPU tests, benchmarks, and some minutes of training.

One command of under nine minutes, which needs no network and no path outside the repository. It takes the interpreter
that it is started with, and the wheels of build/wheels, which `make gpu-wheels` fetches where there is a network:

    make gpu-wheels
    musemo prepare DEAM --config-name excerpt_10s --pack build/songs.safetensors --pack-megabytes 28
    python training/gpu_session.py --checkpoint runs/gan --shrink-to build/gan
    make gpu PYTHON=python3 MINUTES=3 CHECKPOINT=build/gan \
        TRAIN="gan --config training/configs/gan_10s.yaml --data-dir build/songs.safetensors --hold-out 0"

`TRAIN` names a script of training/ (`train_<name>.py`) and its arguments; without `--data-dir` it trains on procedural
music. The training goes on from the newest checkpoint in the folder `CHECKPOINT`, which is left as it is, and stops
with a checkpoint when the minutes are over. Songs and checkpoint are 35 MB at most: DEAM in steps of 3 dB has 26 MB,
and `--shrink-to` leaves weights in half precision and no moments of the optimizers. A run is resumed with the songs
that it was begun with. The folder `OUT` (runs/gpu) receives report.txt, with the output of all steps, and the new
checkpoint in pieces that are small enough to be fetched, run.tar.*; those of an earlier call are removed first, and
other files stay. To go on from there, on any machine:

    mkdir -p build/gan && cat runs/gpu/run.tar.* | tar x -C build/gan
"""

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "gpu"
CACHE = ROOT / "build" / "gpu-cache"  # such as procedural music, which another call finds again
LONGEST = 510  # seconds of the whole command; with a grace for each step it stays under nine minutes
INSTALL, TESTS, BENCHMARKS, PACKING = 40, 120, 120, 20  # seconds that each may take
GRACE = 20  # seconds in which a step that is asked to stop may save
STOPPED = 128 + signal.SIGTERM  # the exit code of a training that saved a checkpoint
MAX_INPUT = 35_000_000  # bytes of the songs and the checkpoint
MAX_FILE, MAX_FILES = 15_000_000, 8  # of the output
NEEDED = ("torch", "transformers", "accelerate")  # what the machine has
BROUGHT = ("diffusers", "datasets", "evaluate", "librosa", "soundfile", "omegaconf")  # what it has or wheels bring
BENCHMARKED = ("training", "generator", "recogniser")


def main() -> int:
    """Run the steps, and return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="The minutes of training (default: 3).")
    parser.add_argument("--checkpoint", type=Path, help="The output folder of a training to go on from.")
    parser.add_argument("--shrink-to", type=Path, help="Only write the checkpoint there, as small as it travels.")
    parser.add_argument(
        "--wheels", type=Path, default=ROOT / "build" / "wheels", help="The folder of `make gpu-wheels`."
    )
    parser.add_argument("--output-dir", type=Path, default=ROOT / "runs" / "gpu", help="The folder of the results.")
    parser.add_argument("--only-training", action="store_true", help="Leave out tests and benchmarks.")
    parser.add_argument("train", nargs="*", default=[], help="The script of training/ without `train_`, and arguments.")
    arguments, options = parser.parse_known_args()
    train = [*arguments.train, *options]
    if arguments.shrink_to is not None:
        if arguments.checkpoint is None:
            parser.error("expected --checkpoint, the checkpoint that --shrink-to makes small, got none")
        found = newest(arguments.checkpoint)
        if (target := arguments.shrink_to / found.name).exists():
            parser.error(f"expected a new folder for the small checkpoint, got {target}, which is there")
        check_packages(("torch", "safetensors"), [])
        shrink(found, target, moments=False)
        return 0
    most = (LONGEST - INSTALL - PACKING - GRACE - (0 if arguments.only_training else TESTS + BENCHMARKS)) / 60
    if not 0 <= arguments.minutes <= most:  # also where NaN
        parser.error(f"expected 0 to {most:.1f} minutes of training, so that all ends in time, got {arguments.minutes}")
    if train and not (ROOT / "training" / f"train_{train[0]}.py").is_file():
        parser.error(f"expected a script training/train_<name>.py, got {train[0]}")
    checkpoint = None if arguments.checkpoint is None else newest(arguments.checkpoint)
    values = {part for value in train[1:] for part in (value, value.partition("=")[2]) if part}
    given = [ROOT / value for value in sorted(values) if (ROOT / value).exists()]
    given += [] if checkpoint is None else [checkpoint]
    check_inputs(given)
    run, out, wheels = BUILD / "run", arguments.output_dir, sorted(arguments.wheels.glob("*.whl"))
    check_output(out, given)
    check_packages(NEEDED + BROUGHT, wheels)
    shutil.rmtree(BUILD, ignore_errors=True)
    for folder in (BUILD, out):
        folder.mkdir(parents=True, exist_ok=True)
    report, codes = out / "report.txt", []
    for earlier in out.glob("run.tar.*"):
        earlier.unlink()
    report.write_text(f"# {shlex.join([sys.executable, *sys.argv])}\n")
    if wheels:
        pip = ["-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile", "--target"]
        codes.append(step(report, INSTALL, *pip, str(BUILD / "site"), *map(str, wheels)))
    if not arguments.only_training:
        codes.append(step(report, TESTS, "-m", "pytest", "-q", "-m", "gpu", "tests/gpu"))
        codes.append(step(report, BENCHMARKS, "-m", "benchmarks", *BENCHMARKED))
    if train and arguments.minutes:
        if checkpoint is not None:
            shutil.copytree(checkpoint, run / checkpoint.name)
        script = [f"training/train_{train[0]}.py", *train[1:], "--output-dir", str(run), "--accept-other-hardware"]
        code = step(report, 60 * arguments.minutes, *script)
        codes.append(0 if code == STOPPED else code)
        if code in (0, STOPPED):
            pack(newest(run), out)
    print(report.read_text(), f"results: {out}", sep="\n")
    return int(any(codes))


def check_inputs(paths: list[Path]) -> None:
    """Refuse files outside the repository, which do not travel with it, and more bytes than travel.

    Raises:
        SystemExit: One is outside, or all are too large together.
    """
    files = {file.resolve() for path in paths for file in (path.rglob("*") if path.is_dir() else [path])}
    outside = sorted(str(file) for file in files if ROOT not in file.parents)
    n_bytes = sum(file.stat().st_size for file in files if file.is_file())
    if outside:
        raise SystemExit(f"expected inputs inside {ROOT}, got {outside[0]}")
    if n_bytes > MAX_INPUT:
        raise SystemExit(f"expected songs and a checkpoint of at most {MAX_INPUT:,} bytes, got {n_bytes:,}")


def check_output(out: Path, given: list[Path]) -> None:
    """Refuse an output folder that holds an input, lies within one, or lies in the folder that each call begins anew.

    Raises:
        SystemExit: It is such a folder, or a file.
    """
    place = out.resolve()
    if place.exists() and not place.is_dir():
        raise SystemExit(f"expected a folder for the results, got the file {out}")
    for path in given:
        if path.resolve().is_relative_to(place) or place.is_relative_to(path.resolve()):
            raise SystemExit(f"expected a folder for the results apart from the inputs, got {out} and {path}")
    for path in (out, *given):
        if path.resolve().is_relative_to(BUILD.resolve()):
            raise SystemExit(f"expected nothing in {BUILD}, which each call begins anew, got {path}")


def check_packages(names: tuple[str, ...], wheels: list[Path]) -> None:
    """Refuse a Python without a package that is needed, where no wheel brings it.

    Raises:
        SystemExit: One is missing.
    """
    brought = {wheel.name.partition("-")[0].lower() for wheel in wheels}
    if missing := [name for name in names if name not in brought and find_spec(name) is None]:
        hint = "name another with PYTHON=, such as .venv/bin/python, or fetch wheels with `make gpu-wheels`"
        if set(missing) & set(NEEDED):  # which are no wheels of `make gpu-wheels`
            hint = "name another with PYTHON=, such as .venv/bin/python"
        raise SystemExit(f"expected a Python with {', '.join(missing)}, got {sys.executable}: {hint}")


def step(report: Path, seconds: float, *command: str) -> int:
    """Run Python with a command, add its output to the report, and return its exit code.

    After so many seconds it is asked to stop, and 20 seconds later it is stopped.
    """
    paths = [str(BUILD / "site"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = {"PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    settings |= {name: str(CACHE) for name in ("HF_HOME", "MPLCONFIGDIR", "MUSEMO_CACHE")}
    started = time.monotonic()
    with report.open("a") as file:
        print(f"\n# python {' '.join(command)}", file=file, flush=True)
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=os.environ | settings, stdout=file, stderr=subprocess.STDOUT,
            start_new_session=True,  # so that the processes that it starts are stopped with it
        )  # fmt: skip
        for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, GRACE)):
            try:
                process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, number)
        code = process.wait()
        print(f"# exit code {code} after {time.monotonic() - started:.0f} s", file=file)
    return code


def newest(run: Path) -> Path:
    """Return the newest checkpoint of a run.

    Raises:
        SystemExit: There is none.
    """
    found = sorted(run.glob("checkpoint-*"))
    if not found:
        raise SystemExit(f"expected checkpoint-* in the folder of a training, found none in {run}")
    return found[-1]


def shrink(checkpoint: Path, target: Path, moments: bool) -> None:
    """Write a checkpoint with its weights as float16 and its optimizers' moments as bfloat16, or without the moments.

    The training resumes from it nearly, and not exactly, where it stopped; optimizers begin anew without moments.
    """
    sys.path.insert(0, str(BUILD / "site"))
    import torch
    from safetensors.torch import load_file, save_file
    from torch.utils._pytree import tree_map

    from musemo_hf.audio.verification import CHECKSUMS, WEIGHTS, write_checksums

    def smaller(value: object, kind: torch.dtype = torch.bfloat16) -> object:
        wide = isinstance(value, torch.Tensor) and value.dtype == torch.float32 and value.ndim > 0
        return value.to(kind) if wide else value  # a number, such as that of the updates, stays exact

    shutil.copytree(checkpoint, target, ignore=shutil.ignore_patterns(CHECKSUMS))
    for file in target.rglob("*.safetensors"):
        weights = {name: smaller(value, torch.float16) for name, value in load_file(file).items()}
        save_file(weights, file, metadata={"format": "pt"})
        write_checksums(file.parent, WEIGHTS)
    states = torch.load(target / "objects.pt", map_location="cpu", weights_only=True)
    for name in states if not moments else []:
        if name.endswith("optimizer"):
            states[name]["state"] = {}
    torch.save(tree_map(smaller, states), target / "objects.pt")
    write_checksums(target)


def pack(checkpoint: Path, out: Path) -> None:
    """Write a checkpoint into the pieces of a tar file, as many and as large as may come back."""
    archive, small = BUILD / "run.tar", BUILD / "small" / checkpoint.name
    shrink(checkpoint, small, moments=True)
    with tarfile.open(archive, "w") as tar:
        tar.add(small, checkpoint.name)
        for statistics in checkpoint.parent.glob("*.jsonl"):
            tar.add(statistics, statistics.name)
    n_bytes = archive.stat().st_size
    if n_bytes > (MAX_FILES - 1) * MAX_FILE:
        raise SystemExit(f"expected a checkpoint of at most {(MAX_FILES - 1) * MAX_FILE:,} bytes, got {n_bytes:,}")
    with archive.open("rb") as file:
        for number in range(-(-n_bytes // MAX_FILE)):
            (out / f"run.tar.{number:02d}").write_bytes(file.read(MAX_FILE))


if __name__ == "__main__":
    sys.exit(main())
