import hashlib
from dataclasses import replace

import pytest

from musemo_hf.pipelines.embedders.pretrained_files import PretrainedFile, PretrainedModelError

CONTENT = b"the weights of a model"
FILE = PretrainedFile("Ears", "ana/ears", "weights/ears.tflite", hashlib.sha256(CONTENT).hexdigest(), extra="ears")
WAYS = "let MUSEMO_PRETRAINED name a folder that holds ears.tflite.*Hub repository ana/ears.*pip install 'musemo-hf"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(tmp_path))
    return tmp_path


def test_a_file_of_the_folder(folder):
    (folder / "ears.tflite").write_bytes(CONTENT)
    assert FILE.locate() == folder / "ears.tflite"


def test_a_file_that_is_not_in_the_folder(folder):
    with pytest.raises(PretrainedModelError, match=f"Ears: expected the file ears.tflite in .*found none.*{WAYS}"):
        FILE.locate()


def test_a_folder_that_does_not_exist(folder, monkeypatch):
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(folder / "none"))
    for look in (FILE.locate, FILE.is_here):
        with pytest.raises(PretrainedModelError, match=r"expected MUSEMO_PRETRAINED to name a folder .*/none"):
            look()


@pytest.mark.parametrize("content", [b"", CONTENT + b"!", CONTENT[:-1]])
def test_another_content(folder, content):
    (folder / "ears.tflite").write_bytes(content)
    with pytest.raises(PretrainedModelError, match=rf"expected .* SHA-256 {FILE.sha256}, got [0-9a-f]{{64}}"):
        FILE.locate()
    assert replace(FILE, sha256=hashlib.sha256(content).hexdigest()).locate().is_file()
