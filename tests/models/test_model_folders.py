"""The folders of the models: self-contained, and loading the configurations of earlier versions."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from musemo_hf import MusemoFlowGenerator, MusemoGanConfig, MusemoGanGenerator, MusemoViTConfig
from musemo_hf import models as package

FOLDER = Path(package.__file__).parent
FLOW = {"n_frames": 16, "patch_size": (128, 8), "n_components": 4, "width": 8, "depth": 1, "n_heads": 1}


SHARED = {
    "generation.py": ("models/gan", "models/flow", "models/unet"),
    "full_precision.py": ("models/vit", "models/flow", "models/unet"),
    "complete_loading.py": ("models/vit", "models/gan"),
    "verification.py": ("models/vit", "models/gan", "models/flow", "models/unet", "models/vocoder", "audio"),
}


@pytest.mark.parametrize(("file", "folders"), SHARED.items())
def test_folders_that_are_pushed_on_their_own_share_files(file, folders):
    assert len({(FOLDER.parent / folder / file).read_bytes() for folder in folders}) == 1


@pytest.mark.parametrize("name", ["gan", "flow", "unet", "vit", "vocoder"])
def test_a_folder_imports_nothing_of_ours_from_outside(name):
    files = list((FOLDER / name).glob("*.py"))
    assert len(files) > 2
    for file in files:
        assert not re.search(r"^\s*(from|import)\s+(\.\.|musemo_hf)|import_module", file.read_text(), re.MULTILINE), (
            file
        )


def test_the_gan_alone_knows_a_pretrained_recogniser(tmp_path, vit_config):
    vit_config(n_frames=32).save_pretrained(tmp_path)
    script = "import sys; from musemo_hf.models.gan import pretrained_config as p; print(p(sys.argv[1])['model_type'])"
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "musemo_vit"


REMOVED = {
    "gan": {"emotion_hidden_dim": 128, "style_dim": 64, "local_noise_dim": 8, "n_rhythms": 8},
    "vit": {"stem": "patch", "pooling": "mean", "read_outs": "one", "statistics_read_out": False, "statistics_size": 64}
    | {"head_dropout": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02},
    "flow": {"detail": True, "mlp_ratio": 4.0},
}
OTHER = {
    "gan": {"emotion_hidden_dim": 64, "style_dim": 8, "local_noise_dim": 4, "n_rhythms": 0},
    "vit": {"stem": "convolution", "read_outs": "two", "initializer_range": 0.1},
    "flow": {"detail": False, "mlp_ratio": 2.0},
}


@pytest.fixture
def stored(gan_config, vit_config, tmp_path):
    """`stored(kind, **values)`: load a configuration into which values were written."""

    def load(kind, **values):
        folder = tmp_path / kind
        if kind == "flow":
            MusemoFlowGenerator(**FLOW).save_pretrained(folder)
        else:
            {"gan": gan_config, "vit": vit_config}[kind]().save_pretrained(folder)
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | values))
        (folder / "SHA256SUMS").unlink(missing_ok=True)  # of a model; a configuration alone has none
        loader = {"gan": MusemoGanConfig, "vit": MusemoViTConfig, "flow": MusemoFlowGenerator}[kind]
        return loader.from_pretrained(folder)

    return load


@pytest.mark.parametrize("kind", REMOVED)
def test_settings_that_were_removed_are_ignored_at_the_value_that_is_left(stored, kind, tmp_path):
    plain = stored(kind)
    loaded = stored(kind, **REMOVED[kind])
    loaded.save_pretrained(tmp_path / "again")
    plain.save_pretrained(tmp_path / "plain")
    again, expected = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("again", "plain"))
    for config in (again, expected):
        config.pop("_name_or_path", None)
    assert again == expected
    assert not REMOVED[kind].keys() & again.keys()


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, values in OTHER.items() for name in values])
def test_settings_that_were_removed_are_refused_at_another_value(stored, kind, name):
    value = OTHER[kind][name]
    with pytest.raises(ValueError, match=rf"{name} was removed, with the value .* left, got {name}={value!r}"):
        stored(kind, **{name: value})


def test_a_gan_of_an_earlier_version_is_loaded_with_its_weights(gan_config, tmp_path):
    model = MusemoGanGenerator(gan_config(preset="modern"))
    model.save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | REMOVED["gan"]))
    (tmp_path / "SHA256SUMS").unlink()
    loaded = MusemoGanGenerator.from_pretrained(tmp_path)
    assert not REMOVED["gan"].keys() & loaded.config.to_dict().keys()
    assert loaded.to_style[0].out_features == 64


@pytest.mark.parametrize("name", ["gan", "flow", "unet", "vit", "vocoder"])
def test_folders_that_are_pushed_into_one_repository_share_no_file_name_unless_they_are_copies(name):
    folders = (FOLDER / name, FOLDER.parent / "audio")
    model, audio = ({path.name: path for path in folder.glob("*.py")} for folder in folders)
    for shared in model.keys() & audio.keys() - {"__init__.py"}:
        assert model[shared].read_bytes() == audio[shared].read_bytes(), shared
