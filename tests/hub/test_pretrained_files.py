"""Pretrained files come from the Hub once, are verified, and are then read from its cache without a connection."""

import hashlib

import pytest

CONTENT = b"the weights of a model" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
CODE = """
    from musemo_hf.pipelines.embedders.pretrained_files import PretrainedFile, PretrainedModelError
    file = PretrainedFile("Ears", {repository!r}, "ears.tflite", {sha256!r}, extra="ears")
    try:
        result = file.locate().read_bytes().decode()
    except PretrainedModelError as error:
        result = str(error)
"""


@pytest.fixture
def located(new_client, tmp_path):
    client = new_client()
    (tmp_path / "ears.tflite").write_bytes(CONTENT)
    upload = f"""
        from huggingface_hub import HfApi
        HfApi().create_repo("ana/ears", exist_ok=True)
        HfApi().upload_file(path_or_fileobj={str(tmp_path / "ears.tflite")!r}, path_in_repo="ears.tflite",
                            repo_id="ana/ears")
        result = None
    """
    client.run(upload)
    stranger = new_client(token=None)

    def locate(repository="ana/ears", sha256=SHA256, **extra):
        return stranger.run(CODE.format(repository=repository, sha256=sha256), **extra)

    return locate


def test_from_the_hub_and_then_from_its_cache(hub, located):
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    assert "Ears: expected its file from the Hub, got:" in located(**nowhere)
    assert located() == CONTENT.decode()
    n_requests = len(hub.requests)
    assert located(HF_HUB_OFFLINE="1") == CONTENT.decode()
    assert located(**nowhere) == CONTENT.decode()
    assert len(hub.requests) == n_requests


def test_other_content_and_no_repository(located):
    other = located(sha256="0" * 64)
    assert f"expected a file with the SHA-256 {'0' * 64}, got {SHA256}" in other
    missing = located(repository="ana/none")
    assert "expected its file from the Hub, got:" in missing
    assert "MUSEMO_PRETRAINED" in missing
    assert "pip install 'musemo-hf[ears]'" in missing
