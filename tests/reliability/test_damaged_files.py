"""Flipped bits, cut files and renamed tensors: nothing damaged or wrong is loaded silently."""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from musemo_hf import (
    MusemoFeatureExtractor,
    MusemoFlowGenerator,
    MusemoGanConfig,
    MusemoGanDiscriminator,
    MusemoGanGenerator,
    MusemoUNetGenerator,
    MusemoViTConfig,
    MusemoViTForEmotionRegression,
)
from musemo_hf.audio.verification import CHECKSUMS, verify_checksums
from musemo_hf.checkpoints import embedded_checkpoint
from musemo_hf.cli import main
from musemo_hf.training.checkpoint import CheckpointError, checkpoints, newest_whole
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

GAN = {"n_frames": 32, "generator_channels": 16, "discriminator_channels": 4, "group_norm_groups": 2}
VIT = {
    "n_frames": 32,
    "patch_size": (16, 16),
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
MODELS = {
    "generator": lambda: MusemoGanGenerator(MusemoGanConfig(**GAN)),
    "discriminator": lambda: MusemoGanDiscriminator(MusemoGanConfig(**GAN)),
    "flow": lambda: MusemoFlowGenerator(n_frames=16, patch_size=(128, 8), n_components=4, width=8, depth=1, n_heads=1),
    "recogniser": lambda: MusemoViTForEmotionRegression(MusemoViTConfig(**VIT)),
    "recogniser with heads": lambda: MusemoViTForEmotionRegression(
        MusemoViTConfig(**VIT, uncertainty=True, kernel_read_out=True)
    ),
}


@pytest.fixture
def saved(tmp_path):
    """`saved(name)`: a model of a kind, and the folder that it was saved in."""

    def save(name):
        torch.manual_seed(0)
        model = MODELS[name]()
        model.save_pretrained(tmp_path / name)
        return model, tmp_path / name

    return save


def flip(path, rng):
    """Flip one bit of a file, and return what was done."""
    content = bytearray(path.read_bytes())
    place, bit = rng.randrange(len(content)), rng.randrange(8)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {place} of {path.name}"


PACKAGED = {
    "recogniser": MusemoViTForEmotionRegression,
    "generator": MusemoGanGenerator,
    "flow": MusemoUNetGenerator,
}


@pytest.mark.reliability("one flipped bit in a file of a packaged model", "loading names the file")
@pytest.mark.parametrize("name", PACKAGED)
def test_a_flipped_bit_of_a_packaged_model_is_named(tmp_path, tally, long_form, name):
    folder = Path(shutil.copytree(embedded_checkpoint(name), tmp_path / name))
    rng = random.Random(name)
    names = [
        "config.json",
        "preprocessor_config.json",
        CHECKSUMS,
        *(path.name for path in folder.glob("*.safetensors")),
    ]
    for file in names:
        whole = (folder / file).read_bytes()
        for _ in range(60 if long_form else 6):
            what = flip(folder / file, rng)
            for loader in (PACKAGED[name], MusemoFeatureExtractor):
                try:
                    loader.from_pretrained(folder)
                    # a flip of a line break of the checksums that is still one is no damage
                    tally(file == CHECKSUMS and verify_checksums(folder), f"{what}: {loader.__name__} loaded it")
                except OSError as error:
                    tally(file in str(error) or file == CHECKSUMS, f"{what}: {error}")
            (folder / file).write_bytes(whole)
    PACKAGED[name].from_pretrained(folder)
    tally.assert_nothing_lost()


@pytest.mark.reliability("a tensor of a model that is renamed, lost or added", "loading names the tensor")
@pytest.mark.parametrize("name", MODELS)
def test_other_tensors_are_refused_where_there_are_no_checksums(saved, tally, long_form, name):
    model, folder = saved(name)
    (file,) = folder.glob("*.safetensors")
    (folder / CHECKSUMS).unlink()
    weights = load_file(file)
    own = [n for n in sorted(weights) if not n.endswith(("._u", "._v"))]  # singular vectors follow from the weights
    names = own if long_form else random.Random(name).sample(own, 4)
    changes = [("renamed", n, {f"{n}_": weights[n]}) for n in names]
    changes += [("lost", n, {}) for n in names] + [("added", None, {"other": torch.zeros(2)})]
    for what, removed, added in changes:
        save_file({n: v for n, v in weights.items() if n != removed} | added, file, {"format": "pt"})
        try:
            type(model).from_pretrained(folder)
            tally(False, f"{what} {removed}")
        except ValueError as error:
            tally("of a Musemo" in str(error) or "of a flow" in str(error), f"{what} {removed}: {error}")
    tally.assert_nothing_lost()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["generator", "flow", "recogniser"])
def test_weights_that_are_not_finite_are_refused(saved, name, value):
    model, folder = saved(name)
    tensor = next(tensor for tensor in model.parameters() if tensor.ndim > 1)
    tensor.data.view(-1)[3] = value
    model.save_pretrained(folder)
    with pytest.raises(ValueError, match="expected finite weights, got NaN or infinity in "):
        type(model).from_pretrained(folder)


@pytest.mark.parametrize("name", MODELS)
def test_what_was_saved_is_loaded_and_saving_again_writes_new_checksums(saved, name):
    model, folder = saved(name)
    before = (folder / CHECKSUMS).read_text()
    next(model.parameters()).data += 1
    model.save_pretrained(folder)
    loaded, info = type(model).from_pretrained(folder, output_loading_info=True)
    assert torch.equal(next(loaded.parameters()), next(model.parameters()))
    assert not info["missing_keys"]
    assert (folder / CHECKSUMS).read_text() != before


def test_an_extractor_beside_a_model_is_verified_too(saved):
    _, folder = saved("recogniser")
    MusemoFeatureExtractor(n_frames=32).save_pretrained(folder)
    assert len((folder / CHECKSUMS).read_text().splitlines()) == 3
    file = folder / "preprocessor_config.json"
    file.write_text(file.read_text().replace("22050", "22040"))
    for loader in (MusemoFeatureExtractor, MusemoViTForEmotionRegression):
        with pytest.raises(OSError, match=r"preprocessor_config\.json .*was damaged or changed"):
            loader.from_pretrained(folder)
    MusemoFeatureExtractor(n_frames=32).save_pretrained(folder)
    assert MusemoFeatureExtractor.from_pretrained(folder).sampling_rate == 22050


def test_a_folder_of_another_library_is_loaded_without_checksums(saved, caplog):
    _, folder = saved("recogniser")
    (folder / CHECKSUMS).unlink()
    with caplog.at_level("DEBUG"):
        MusemoViTForEmotionRegression.from_pretrained(folder)
    assert "has no SHA256SUMS, so its files are not verified" in caplog.text


def test_predict_names_a_damaged_checkpoint(tmp_path, capsys):
    import numpy as np
    import soundfile

    folder = Path(shutil.copytree(embedded_checkpoint("recogniser"), tmp_path / "recogniser"))
    flip(folder / "model.safetensors", random.Random(0))
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(22050), 22050)
    assert main(["predict", str(tmp_path / "a.wav"), "--checkpoint", str(folder)]) == 1
    assert "model.safetensors with the SHA-256" in capsys.readouterr().err


@pytest.fixture
def run(recogniser_training, clips, tmp_path):
    """`run()`: a trainer of eight updates with checkpoints after three, six and eight."""
    return lambda: RecogniserTrainer(MusemoViTConfig(**VIT), recogniser_training(), clips, tmp_path / "run")


@pytest.mark.reliability("one flipped bit in the newest checkpoint", "an older one is resumed")
def test_a_damaged_checkpoint_is_skipped_and_the_run_ends_the_same(run, tmp_path, tally, long_form, caplog):
    first = run()
    first.train()
    expected = {name: value.clone() for name, value in first.network.state_dict().items()}
    older, newest = checkpoints(tmp_path / "run")
    rng = random.Random(0)
    files = sorted(path for path in newest.rglob("*") if (path.is_file() and path.parent == newest) or path.suffix)
    for file in files:
        whole = file.read_bytes()
        for _ in range(40 if long_form else 2):
            what = flip(file, rng)
            found = newest_whole(tmp_path / "run")
            tally(found == older or file.name == CHECKSUMS, f"{what}: resumed {found}")
            file.write_bytes(whole)
    flip(newest / "objects.pt", rng)
    again = run()
    again.train()
    assert "checkpoint-00000008 is damaged and is skipped: expected " in caplog.text
    assert all(torch.equal(value, expected[name]) for name, value in again.network.state_dict().items())
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["checkpoint-00000006", "checkpoint-00000008"]
    assert newest_whole(tmp_path / "run").name == "checkpoint-00000008"
    tally.assert_nothing_lost()


@pytest.mark.parametrize("file", ["state.json", "objects.pt", "recogniser/model.safetensors", CHECKSUMS])
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_checkpoint_that_was_cut_short_is_skipped(run, tmp_path, file, share):
    run().train()
    older, newest = checkpoints(tmp_path / "run")
    content = (newest / file).read_bytes()
    (newest / file).write_bytes(content[: int(share * len(content))])
    assert newest_whole(tmp_path / "run") == older


def test_a_run_whose_checkpoints_are_all_damaged_does_not_begin_again_silently(run, tmp_path):
    run().train()
    for checkpoint in checkpoints(tmp_path / "run"):
        flip(checkpoint / "objects.pt", random.Random(0))
    with pytest.raises(CheckpointError, match=r"all 2 checkpoints in .* are damaged: remove them to begin again"):
        run().train()


def test_the_checksums_are_those_of_sha256sum():
    import hashlib

    folder = Path(embedded_checkpoint("flow"))
    for line in (folder / CHECKSUMS).read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    with safe_open(folder / "diffusion_pytorch_model.safetensors", "pt") as file:
        assert file.metadata()["format"] == "pt"
    assert json.loads((folder / "config.json").read_text())["_class_name"] == "MusemoUNetGenerator"
