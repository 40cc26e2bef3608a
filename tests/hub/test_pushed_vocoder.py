"""A pipeline is pushed with a vocoder of the Hub, and strangers hear it, with and without this package."""

from textwrap import dedent

import pytest

PUSH = """
    import torch
    from pathlib import Path
    from huggingface_hub import HfApi
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig
    from musemo_hf import MusemoFeatureExtractor, MusemoGanConfig, MusemoGanGenerator, MusemoPipeline, MusemoVocoder
    from musemo_hf.cli import main

    root = Path(ROOT)
    torch.manual_seed(0)
    gan = MusemoGanConfig(n_frames=32, generator_channels=64, discriminator_channels=8)
    MusemoGanGenerator(gan).save_pretrained(root / "gan")
    MusemoFeatureExtractor(n_frames=32).save_pretrained(root / "gan")
    sizes = {"model_in_dim": 64, "sampling_rate": 16000, "upsample_initial_channel": 32, "initializer_range": 0.2}
    rates = {"upsample_rates": [5, 4, 2, 2, 2], "upsample_kernel_sizes": [16, 8, 4, 4, 4], "normalize_before": False}
    for name in ("vocoder", "other"):  # as in a repository of AudioLDM
        SpeechT5HifiGan(SpeechT5HifiGanConfig(**sizes, **rates)).save_pretrained(root / name / "vocoder")
        HfApi().create_repo(f"ana/{name}")
        HfApi().upload_folder(folder_path=root / name, repo_id=f"ana/{name}")
    HfApi().create_repo("ana/empty")
    HfApi().upload_file(path_or_fileobj=root / "other/vocoder/config.json", path_in_repo="config.json",
                        repo_id="ana/empty")

    def push(vocoder):
        return main(["push", "pipeline", "ana/musemo", "--checkpoint", str(root / "gan"), "--vocoder", vocoder])

    def sample():
        files = HfApi().get_paths_info("ana/musemo", ["samples/happy.flac", "generator/model.safetensors"])
        return {file.path: file.blob_id for file in files}

    result = {"status": [push("ana/other")], "other sample": sample()}
    result["status"] += [push(f"ana/{name}") for name in ("vocoder", "vocoder", "empty", "nothing")]
    result["sample"] = sample()
    MusemoVocoder(channels=8, layers=1, refinement=2).save_pretrained(root / "own")
    own = MusemoPipeline.from_pretrained("ana/musemo", vocoder=root / "own")
    own.save_pretrained(root / "saved")
    again = ["push", "pipeline", "ana/again", "--checkpoint", str(root / "saved"), "--no-sample"]
    result["status"] += [main(again), main(["push", "generator", *again[2:5], "--vocoder", "ana/vocoder"])]
    for name, pipeline in (("ana/musemo", MusemoPipeline.from_pretrained("ana/musemo")), ("ana/again", own)):
        pipeline.set_progress_bar_config(disable=True)
        result[name] = pipeline(0.8, 0.7, seed=0).songs[0].audio[::97].tolist()
"""

WITHOUT_PACKAGE = """
    from diffusers import DiffusionPipeline
    result = {}
    for repo in ("ana/musemo", "ana/again"):
        pipeline = DiffusionPipeline.from_pretrained(repo, trust_remote_code=True)
        pipeline.set_progress_bar_config(disable=True)
        result[repo] = [type(pipeline.vocoder).__name__, pipeline(0.8, 0.7, seed=0).songs[0].audio[::97].tolist()]
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def run(new_client, root):
    return lambda code, **options: new_client().run(f"ROOT = {str(root)!r}\n" + dedent(code), **options)


@pytest.fixture(scope="module")
def pushed(hub, run):
    result = run(PUSH)
    repository = hub.repository("models", "ana/musemo")
    return result | {"commits": len(repository.commits) - 1, "files": dict(hub.files("models", "ana/musemo"))}


def test_a_push_with_a_vocoder_is_one_commit_and_again_none(pushed):
    assert pushed["status"] == [0, 0, 0, 1, 1, 0, 1]
    assert pushed["commits"] == 2
    assert {"vocoder/config.json", "vocoder/model.safetensors", "vocoding.py"} <= set(pushed["files"])


def test_the_card_names_the_vocoder(hub, pushed):
    card = pushed["files"]["README.md"].decode()
    assert "by the vocoder of this repository (SpeechT5HifiGan, from `ana/vocoder`, " in card
    assert "which takes 64 bands with a hop of 160 at 16,000 Hz" in card
    assert "Griffin-Lim: it sounds phasey" not in card
    saved = hub.files("models", "ana/again")["README.md"].decode()
    assert "by the vocoder of this repository (MusemoVocoder, " in saved
    assert "from `" not in saved, "a folder is none of a card's business"


def test_strangers_hear_it_without_the_package(pushed, run):
    heard = run(WITHOUT_PACKAGE, package=False)
    for (repo, (name, audio)), expected in zip(heard.items(), ("SpeechT5HifiGan", "MusemoVocoder"), strict=True):
        assert name == expected
        assert audio == pytest.approx(pushed[repo], abs=1e-5)


def test_another_vocoder_plays_the_sample_anew(pushed):
    """Only the vocoder's weights differ, and those of the generator are the repository's already."""
    sample, other = pushed["sample"], pushed["other sample"]
    assert sample["samples/happy.flac"] != other["samples/happy.flac"]
    assert sample["generator/model.safetensors"] == other["generator/model.safetensors"]
