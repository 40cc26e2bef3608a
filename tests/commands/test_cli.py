import argparse
import subprocess
import sys

import pytest

from musemo_hf.cli import COMMANDS, build_parser
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
    assert set(COMMANDS) == {
        "generate",
        "vary",
        "extend",
        "infill",
        "journey",
        "predict",
        "pseudo-label",
        "prepare",
        "train",
        "score",
        "audit-labels",
        "push",
        "demo",
    }
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


BAD = [
    ("generate --valence 3 --arousal 0 --output x.wav", "expected --valence in [-1, 1], got 3; DEAM's 1-9"),
    ("generate --preset furious --output x.wav", "expected --preset to be one of"),
    ("generate --preset sad --num-samples 0 --output x", "expected --num-samples of at least 1, got 0"),
    ("generate --preset sad --num-inference-steps 0 --output x.wav", "--num-inference-steps of at least 1, got 0"),
    ("generate --preset sad --guidance-scale nan --output x.wav", "--guidance-scale as a number from 0 on, got nan"),
    ("generate --preset sad --checkpoint none --output x.wav", "expected a generator's folder"),
    ("generate --preset sad --arrays --output x.wav", "a file that ends in .npy, got x.wav"),
    ("generate --preset sad --tempo nan --output x.wav", "--tempo from 40 to 240 beats per minute, got nan"),
    ("generate --preset sad --loudness 90 --output x.wav", "expected --loudness from -10 to 50 dB, got 90"),
    ("generate --preset sad --brightness 3 --output x.wav", "expected --brightness from 100 to 4000 Hz, got 3"),
    ("vary none.wav --preset sad --output x.wav", "expected an audio file, found none at none.wav"),
    ("vary {here} --preset sad --strength nan --output x.wav", "expected --strength in [0, 1], got nan"),
    ("vary {here} --valence 0 --output x.wav", "expected --valence and --arousal, or --preset, got --valence"),
    ("vary {here} --preset sad --tempo 1000 --output x.wav", "--tempo from 40 to 240 beats per minute, got 1000"),
    ("vary {here} --preset sad --output x.mid", "expected --output to be a file that ends in .wav, .flac, .ogg, .mp3"),
    ("vary {here} --preset sad --checkpoint none --output x.wav", "expected a generator's folder"),
    ("extend {here} --seconds -2 --preset sad --output x.wav", "expected --seconds as a positive number, got -2"),
    ("extend {here} --seconds 2 --preset sad --seed -1 --output x.wav", "expected --seed as a number from 0 on"),
    ("infill {here} --start 6 --end 4 --preset sad --output x.wav", "--start from 0 on, before --end, got 6 and 4"),
    ("journey --preset sad furious --output x.wav", "expected --preset to be one of"),
    ("journey --valence 0 0.1 --arousal 0 --output x.wav", "as many values of --valence as of --arousal, got 2 and 1"),
    ("journey --valence 0 3 --arousal 0 0 --output x.wav", "expected --valence in [-1, 1], got 3"),
    ("journey --preset sad neutral --seconds inf --output x.wav", "expected --seconds as a positive number, got inf"),
    ("score . . --confidence 3", "expected --confidence in [0, 1), got 3"),
    ("score . . --emotions none.csv", "expected a table as --emotions, found no file at none.csv"),
    ("score . . --emotions {here} --recogniser none", "expected a recogniser's folder"),
    ("pseudo-label . out --recogniser none", "expected a recogniser's folder"),
    ("pseudo-label . out --hop -1", "expected a positive --hop"),
    ("push metric noslash", "expected a repository as user/name, got 'noslash'"),
    ("push generator user/a --data .", "expected no --data with generator"),
    ("push generator user/a --checkpoint none", "expected a generator's folder"),
    ("push space user/a --report none.json", "found no file at none.json"),
    ("push dataset user/a", "expected the folder of DEAM, as in --data DEAM, got none"),
    ("prepare none", "expected the folder of DEAM, found none at none"),
    ("audit-labels none", "expected a folder, found none at none"),
    ("predict none.wav", "expected audio files or folders of them, found none at none.wav"),
    ("predict {here} --hop nan", "expected a positive --hop in seconds, got nan"),
    ("predict {here} --checkpoint none", "expected a recogniser's folder"),
    ("predict {here} --path-plot path.txt", "expected --path-plot to end in .png, .svg or .pdf, got path.txt"),
    ("predict {here} --path-plot none/path.png", "expected a folder to write none/path.png in, found none"),
    ("generate --preset sad --seed -1 --output x.wav", "expected --seed as a number from 0 on, got -1"),
    ("prepare . --pack none/a.safetensors", "expected a folder to write --pack none/a.safetensors in, found none"),
    ("prepare . --output {here}", "expected a folder as --output, got the file"),
    ("score . . --embedder clap", "expected --embedder out of mel-statistics-v1, modulation-v1"),
    ("score . . --external clap", "expected --external out of yamnet, yamnet-v1, none"),
    ("score none . --n-resamples 8", "no such folder"),
    ("train none --generator flow --output x", "expected a folder of songs, found none at none"),
    ("train . --output x", "expected --labels for a recogniser, --generator for a generator, or both, got neither"),
    ("train . --labels none.csv --output x", "expected a table as --labels, found no file at none.csv"),
    ("train . --labels {here} --config flow_30s.yaml --output x", "expected --generator with --config and --set"),
    ("train . --generator flow --config none.yaml --output x", "expected a YAML file as --config, or one of as-run"),
    ("train . --generator flow --recogniser none --output x", "expected a recogniser's folder"),
    ("demo --port 99999", "expected --port from 0 to 65535, got 99999"),
    ("demo --generator none", "expected a generator's folder"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_values_are_one_line(musemo, arguments, message):
    status, out, err = musemo(*arguments.format(here=__file__).split())
    assert (status, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


def test_bad_values_are_refused_before_anything_heavy_is_loaded():
    commands = [arguments.format(here=__file__).split() for arguments, _ in BAD]
    code = (
        "import sys\nfrom musemo_hf.cli import main\n"
        f"for arguments in {commands!r}:\n"
        "    assert main(arguments) == 1, arguments\n"
        f"    assert not set({HEAVY!r}) & set(sys.modules), arguments\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_completes_commands_and_options(musemo, shell):
    status, out, err = musemo("--print-completion", shell)
    assert status == 0, err
    for word in ("pseudo-label", "num-inference-steps", "print-completion", "journey", "tempo"):
        assert word in out


def test_bash_completes(musemo, tmp_path):
    (tmp_path / "song one.wav").touch()
    script = tmp_path / "completion"
    script.write_text(musemo("--print-completion", "bash")[1])

    def completed(*words):
        given = " ".join(f"'{word}'" for word in words)
        code = f"source {script}; COMP_WORDS=({given}); COMP_CWORD={len(words) - 1}; "
        code += "_shtab_musemo; printf '%s\n' \"${COMPREPLY[@]}\""
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
        return done.stdout.split("\n")

    assert "generate" in completed("musemo", "gen")
    assert "--num-samples" in completed("musemo", "generate", "--num-s")
    assert "song one.wav" in completed("musemo", "predict", "so")
    assert "song one.wav" in completed("musemo", "vary", "so")
    assert "--strength" in completed("musemo", "vary", "--str")


def test_help_is_made_of_sentences():
    def actions(parser):
        for action in parser._actions:
            yield parser.prog, action
            for command in getattr(action, "choices", None) or {}:
                if isinstance(action.choices, dict) and hasattr(action.choices[command], "_actions"):
                    yield from actions(action.choices[command])

    for name, action in actions(build_parser()):
        if action.help in (None, argparse.SUPPRESS) or action.dest in ("help", "version", "command"):
            continue
        assert action.help[0].isupper(), f"{name} {action.dest}: {action.help}"
        assert action.help.endswith((".", ".)")), f"{name} {action.dest}: {action.help}"
