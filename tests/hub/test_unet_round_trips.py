"""A U-Net generator that `musemo push` pushed is what strangers load, without this package, from a fresh process."""

from textwrap import dedent

import pytest

GENERATOR, PIPELINE = "ana/musemo-unet", "ana/musemo-of-unet"

PUSH = """
    import torch
    from musemo_hf import MusemoFeatureExtractor, MusemoUNetGenerator
    from musemo_hf.cli import main

    torch.manual_seed(0)
    unet = MusemoUNetGenerator(n_frames=32, channels=(32, 32), attention=(False, True), condition_width=16,
                               conditions=("tempo",), num_inference_steps=3, guidance_scale=1.25)
    with torch.no_grad():  # some weights are zero before any training
        for parameter in unet.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    unet.fit(0.2 * torch.randn(8, 1, 128, 32))
    unet.save_pretrained(ROOT)
    MusemoFeatureExtractor(n_frames=32).save_pretrained(ROOT)
    status = [main(["push", kind, repo, "--checkpoint", ROOT, "--no-sample"])
              for kind, repo in (("generator", GENERATOR), ("pipeline", PIPELINE))]
    mels = unet.eval().generate(torch.tensor([[0.8, 0.7]]), seed=0)
    result = {"status": status, "mels": mels.flatten()[::97].tolist()}
"""

WITHOUT_PACKAGE = """
    import torch
    from diffusers import AutoModel, DiffusionPipeline

    happy = torch.tensor([[0.8, 0.7]])
    generator = AutoModel.from_pretrained(GENERATOR, trust_remote_code=True)
    mels = generator.generate(happy, seed=0)
    result = {"mels": mels.flatten()[::97].tolist(), "module": type(generator).__module__.split(".")[0]}
    pipe = DiffusionPipeline.from_pretrained(PIPELINE, trust_remote_code=True)
    pipe.set_progress_bar_config(disable=True)
    song = pipe(valence=0.8, arousal=0.7, seed=0, conditions={"tempo": 120})
    varied = pipe.vary(song.songs[0], 0.1, 0.2, strength=0.5, seed=1)
    longer = pipe.extend(song.songs[0], 1.0, 0, 0)
    result |= {"shape": list(varied.spectrogram.shape), "longer": list(longer.audio.shape)}
"""


@pytest.fixture(scope="module")
def run(new_client, tmp_path_factory):
    """`run(code, **options)` in a process of a machine of its own."""
    facts = f"ROOT, GENERATOR, PIPELINE = {str(tmp_path_factory.mktemp('unet'))!r}, {GENERATOR!r}, {PIPELINE!r}\n"
    return lambda code, **options: new_client().run(facts + dedent(code), **options)


@pytest.fixture(scope="module")
def pushed(run):
    return run(PUSH)


def test_it_generates_and_changes_songs_without_the_package(hub, pushed, run):
    assert pushed["status"] == [0, 0]
    assert "modeling_unet.py" in hub.files("models", GENERATOR)
    card = hub.files("models", GENERATOR)["README.md"].decode()
    assert "a convolutional U-Net" in card
    assert 'MusemoUNetGenerator.from_pretrained("ana/musemo-unet")' in card
    made = run(WITHOUT_PACKAGE, package=False)
    assert made["module"] == "diffusers_modules"
    assert made["mels"] == pytest.approx(pushed["mels"], abs=1e-4)
    assert made["shape"] == [128, 32]
    assert made["longer"] == [(32 + 43 - 1) * 512]
