import subprocess
import sys

import pytest

from musemo_hf.cli import COMMANDS
from musemo_hf.commands.push import HELP

HEAVY = ("torch", "transformers", "diffusers", "datasets", "evaluate", "librosa", "matplotlib", "scipy")


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    code = (
        "import sys\nfrom musemo_hf.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit as left:\n    assert left.code == 0\n"
        f"print('loaded:', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_help_lists_every_command(musemo):
    status, out, _ = musemo("--help")
    assert status == 0
    assert set(COMMANDS) == {"generate", "predict", "pseudo-label", "prepare", "score", "audit-labels", "push", "demo"}
    for name in COMMANDS:
        assert f"\n    {name}" in out
    assert COMMANDS["push"].HELP == HELP


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(musemo, name):
    status, out, _ = musemo(name, "--help")
    assert status == 0
    assert f"usage: musemo {name}" in out
    assert f"musemo {name}" in COMMANDS[name].__doc__, "an example"


@pytest.mark.parametrize("arguments", [[], ["sing"], ["predict"], ["generate", "--valence", "high", "--output", "x"]])
def test_arguments_that_make_no_sense_are_2(musemo, arguments):
    status, out, err = musemo(*arguments)
    assert (status, out) == (2, "")
    assert "usage: musemo" in err


def test_an_error_is_one_line_and_a_traceback_on_demand(musemo, tmp_path):
    status, out, err = musemo("prepare", tmp_path / "nowhere")
    assert (status, out) == (1, "")
    assert err == f"musemo prepare: expected the folder of DEAM, found none at {tmp_path / 'nowhere'}\n"
    with pytest.raises(ValueError, match="expected the folder of DEAM"):
        musemo("--traceback", "prepare", tmp_path / "nowhere")


def test_the_installed_command_fails_without_a_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "musemo_hf.cli", "score", str(tmp_path / "a"), str(tmp_path / "b")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert "no such folder" in done.stderr
