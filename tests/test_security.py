"""What SECURITY.md says of files: none that is loaded without `trust_remote_code` runs code."""

import json
import pickle
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from musemo_hf import (
    MusemoFeatureExtractor,
    MusemoGanGenerator,
    MusemoPipeline,
    MusemoUNetGenerator,
    MusemoViTForEmotionRegression,
    embedded_checkpoint,
)
from musemo_hf.data.pack import read_pack
from musemo_hf.training.configuration import load_configuration


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.write_text, (self.mark, "this ran"))


def weights_as_pickle(folder: Path, mark: Path, name: str) -> Path:
    """A packaged checkpoint whose weights are pickles, under each name that a library looks for."""
    shutil.copytree(embedded_checkpoint(name), folder, ignore=shutil.ignore_patterns("*.safetensors", "SHA256SUMS"))
    for file in ("pytorch_model.bin", "diffusion_pytorch_model.bin", "model.safetensors"):
        (folder / file).write_bytes(pickle.dumps(Payload(mark)))
    return folder


def with_remote_code(folder: Path, mark: Path, name: str) -> Path:
    """A packaged checkpoint that names code of its own in its configurations."""
    shutil.copytree(embedded_checkpoint(name), folder, ignore=shutil.ignore_patterns("SHA256SUMS"))
    (folder / "evil.py").write_text(f"from pathlib import Path\nPath({str(mark)!r}).write_text('this ran')\n")
    for file in ("config.json", "preprocessor_config.json"):
        values = json.loads((folder / file).read_text())
        names = {key: f"evil.{key}" for key in ("AutoConfig", "AutoModel", "AutoFeatureExtractor")}
        (folder / file).write_text(
            json.dumps(values | {"auto_map": names, "custom_pipelines": {"x": {"impl": "evil.X"}}})
        )
    return folder


LOADERS = {
    "recogniser": (MusemoViTForEmotionRegression, MusemoFeatureExtractor),
    "generator": (MusemoGanGenerator, MusemoPipeline),
    "flow": (MusemoUNetGenerator, MusemoPipeline),
}


@pytest.mark.parametrize("make", [weights_as_pickle, with_remote_code])
@pytest.mark.parametrize("name", LOADERS)
def test_a_checkpoint_runs_no_code(tmp_path, make, name):
    mark = tmp_path / "mark"
    folder = make(tmp_path / name, mark, name)
    for loader in LOADERS[name]:
        with suppress(Exception):  # loaded or refused: what counts is that nothing ran
            loader.from_pretrained(folder)
        assert not mark.exists(), loader


def test_the_payload_runs_where_it_is_trusted(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "mark")))
    assert (tmp_path / "mark").read_text() == "this ran"


def test_arrays_and_packs_run_no_code(tmp_path):
    mark = tmp_path / "mark"
    np.save(tmp_path / "array.npy", np.array([Payload(mark)]), allow_pickle=True)
    np.savez(tmp_path / "pack.npz", spectrogram=np.array([Payload(mark)], dtype=object))
    with pytest.raises(ValueError, match=r"pack\.npz"):
        read_pack(tmp_path / "pack.npz")
    with pytest.raises(ValueError, match="allow_pickle=False"):
        np.load(tmp_path / "array.npy")
    assert not mark.exists()


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:pathlib.Path.write_text", "!!python/object/new:os.system", "!!python/name:os.system"]
)
def test_a_configuration_runs_no_code(tmp_path, tag):
    mark = tmp_path / "mark"
    (tmp_path / "configuration.yaml").write_text(f"data: {tag} ['touch {mark}']\n")
    with pytest.raises(ValueError, match=r"configuration\.yaml"):
        load_configuration(tmp_path / "configuration.yaml")
    assert not mark.exists()
