"""A flow that `musemo push` pushed is what strangers load, from fresh processes with empty caches."""

import json
import re
from pathlib import Path
from textwrap import dedent

import pytest

GENERATOR, PIPELINE = "ana/musemo-flow", "ana/musemo-of-flow"

PUSH = """
    import torch
    from pathlib import Path
    from musemo_hf import (MusemoFeatureExtractor, MusemoFlowGenerator, MusemoGanConfig, MusemoGanDiscriminator,
                           MusemoGanGenerator, MusemoViTConfig, MusemoViTForEmotionRegression)
    from musemo_hf.cli import main

    root = Path(ROOT)
    torch.manual_seed(0)
    gan = MusemoGanConfig(n_frames=32, generator_channels=64, discriminator_channels=8)
    MusemoGanGenerator(gan).save_pretrained(root / "gan")
    MusemoGanDiscriminator(gan).save_pretrained(root / "gan/discriminator")
    MusemoFeatureExtractor(n_frames=32).save_pretrained(root / "gan")
    flow = MusemoFlowGenerator(n_frames=32, n_components=8, width=16, depth=1, n_heads=2, num_inference_steps=3,
                               guidance_scale=1.25)
    with torch.no_grad():  # some weights are zero before any training
        for parameter in flow.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        for buffer in flow.buffers():  # what a fit finds
            buffer *= 1.1 if buffer.is_floating_point() else 1
    flow.save_pretrained(root / "flow")
    MusemoFeatureExtractor(n_frames=32).save_pretrained(root / "flow")
    (root / "flow/report.json").write_text('{"quality_score": 12.5}')
    vit = MusemoViTConfig(n_frames=34, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    MusemoViTForEmotionRegression(vit).save_pretrained(root / "vit")

    def push(kind, repo, folder):
        return main(["push", kind, repo, "--checkpoint", str(root / folder)])

    generator, pipeline = GENERATOR, PIPELINE
    pushes = [(generator, "gan"), (generator, "flow"), (generator, "flow")]
    result = [push("generator", *words) for words in pushes]
    result += [push("pipeline", pipeline, "flow") for _ in range(2)]
    result += [push("generator", "ana/no-generator", "vit")]
    packaged = [["pipeline", "ana/default"], ["generator", "ana/named", "--checkpoint", "generator"]]
    result += [main(["push", *words, "--no-sample"]) for words in packaged]
"""

WITH_PACKAGE = """
    import diffusers, torch
    from diffusers import DiffusionPipeline
    from musemo_hf import MusemoFeatureExtractor, MusemoFlowGenerator, MusemoPipeline
    from musemo_hf.hub import push_generator

    happy = torch.tensor([[0.8, 0.7]])
    local = MusemoFlowGenerator.from_pretrained(ROOT + "/flow").generate(happy, seed=0)
    result = {"mels": local.flatten()[::97].tolist()}
    generator = MusemoFlowGenerator.from_pretrained(GENERATOR)
    result["same"] = [bool(torch.equal(generator.generate(happy, seed=0), local))]
    decibels = MusemoFeatureExtractor(n_frames=32).to_decibels(local[0, 0])
    pipelines = [MusemoPipeline.from_pretrained(GENERATOR), MusemoPipeline.from_pretrained(PIPELINE),
                 DiffusionPipeline.from_pretrained(PIPELINE, trust_remote_code=True)]
    result["classes"] = [[type(pipe).__name__, type(pipe.generator).__name__] for pipe in pipelines]
    for pipe in pipelines:
        pipe.set_progress_bar_config(disable=True)
        song = pipe(valence=0.8, arousal=0.7, seed=0)
        result["same"].append(bool(torch.equal(torch.tensor(song.spectrogram), decibels)))
    pipelines[0].save_pretrained(ROOT + "/saved")
    again = MusemoPipeline.from_pretrained(ROOT + "/saved")(valence=0.8, arousal=0.7, seed=0)
    result["same"].append(bool(torch.equal(torch.tensor(again.spectrogram), decibels)))

    # who loaded it may push it on
    generator.save_pretrained(ROOT + "/loaded")
    MusemoFeatureExtractor(n_frames=32).save_pretrained(ROOT + "/loaded")
    push_generator("ana/fork", ROOT + "/loaded", sample=False)
"""

WITHOUT_PACKAGE = """
    import torch
    from diffusers import AutoModel
    from transformers import AutoFeatureExtractor
    generator = AutoModel.from_pretrained(GENERATOR, trust_remote_code=True)
    extractor = AutoFeatureExtractor.from_pretrained(GENERATOR, trust_remote_code=True)
    mels = generator.generate(emotion=torch.tensor([[0.8, 0.7]]), seed=0)
    few = generator.generate(emotion=torch.tensor([[0.8, 0.7]]), seed=0, num_inference_steps=1, guidance_scale=1)
    result = {"mels": mels.flatten()[::97].tolist(), "audio": list(extractor.invert(mels).shape)}
    result["differ"] = (mels - few).abs().max().item()
    result["modules"] = [type(part).__module__.split(".")[0] for part in (generator, extractor)]
    try:
        AutoModel.from_pretrained(GENERATOR)
    except ValueError as error:
        result["untrusted"] = str(error)

    from diffusers import DiffusionPipeline
    pipe = DiffusionPipeline.from_pretrained(PIPELINE, trust_remote_code=True)
    pipe.set_progress_bar_config(disable=True)
    song = pipe(valence=0.8, arousal=0.7, seed=0)
    decibels = extractor.to_decibels(mels[0, 0])
    result["pipeline"] = bool(torch.equal(torch.tensor(song.spectrogram), decibels))
    result["pipeline modules"] = [type(part).__module__.split(".")[0] for part in (pipe, pipe.generator)]
    song.save("song.wav")
    result["title"] = song.plot().get_title()
    half = DiffusionPipeline.from_pretrained(PIPELINE, trust_remote_code=True, torch_dtype=torch.bfloat16)
    result["dtype"] = str(half.generator.dtype)
    try:
        DiffusionPipeline.from_pretrained(PIPELINE)
    except ValueError as error:
        result["untrusted pipeline"] = str(error)

    fork = AutoModel.from_pretrained("ana/fork", trust_remote_code=True)
    result["fork"] = bool(torch.equal(fork.generate(emotion=torch.tensor([[0.8, 0.7]]), seed=0), mels))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def run(new_client, root):
    """`run(code, **options)` in a process of a machine of its own."""
    facts = f"ROOT, GENERATOR, PIPELINE = {str(root)!r}, {GENERATOR!r}, {PIPELINE!r}\n"
    return lambda code, **options: new_client().run(facts + dedent(code), **options)


@pytest.fixture(scope="module")
def pushed(run):
    """The exit status of each push."""
    return run(PUSH)


@pytest.fixture(scope="module")
def with_package(pushed, run):
    return run(WITH_PACKAGE)


@pytest.fixture(scope="module")
def without_package(with_package, run):
    return run(WITHOUT_PACKAGE, package=False)


def test_a_push_is_one_commit_and_again_none(hub, pushed):
    assert pushed == [0, 0, 0, 0, 0, 1, 0, 0]
    commits = {repo: len(hub.repository("models", repo).commits) - 1 for repo in (GENERATOR, PIPELINE)}
    assert commits == {GENERATOR: 2, PIPELINE: 1}  # the first of the generator's was the GAN's
    assert ("models", "ana/no-generator") not in hub.repositories


def test_the_flow_replaces_the_gan_and_ships_its_code(hub, pushed):
    files = set(hub.files("models", GENERATOR))
    code = {"mel.py", "decoding.py", "inversion.py", "feature_extraction_musemo.py", "preprocessor_config.json"}
    model = {"README.md", "config.json", "diffusion_pytorch_model.safetensors", "report.json", "modeling_flow.py"}
    assert files >= model | code | {"samples/spectrograms.png", "samples/happy.flac"}
    assert not [path for path in files if "gan" in path or path.startswith(("discriminator/", "model.safe"))]
    assert set(hub.files("models", PIPELINE)) >= {"model_index.json", "generator/diffusion_pytorch_model.safetensors"}


def test_a_packaged_checkpoint_is_the_one_that_musemo_generate_uses(hub, pushed):
    from musemo_hf import embedded_checkpoint

    for repo, file, name in (("default", "generator/", "flow"), ("named", "", "generator")):
        ours = json.loads(Path(embedded_checkpoint(name), "config.json").read_text())
        theirs = json.loads(hub.files("models", f"ana/{repo}")[f"{file}config.json"])
        for key in ("_class_name", "model_type", "n_frames"):
            assert theirs.get(key) == ours.get(key)


@pytest.mark.parametrize("repo", [GENERATOR, PIPELINE])
def test_the_card_is_a_flows(hub, pushed, repo):
    card = hub.files("models", repo)["README.md"].decode()
    assert "library_name: musemo_hf" in card, "the Hub's snippets for diffusers and transformers do not work for it"
    assert "in 3 Euler steps with a guidance scale of 1.25" in card
    assert "| Quality score | 12.50 |" in card
    assert not re.search(r"\bGAN\b", card)


def test_every_road_with_the_package_gives_the_song_of_the_folder(with_package):
    assert with_package["classes"] == [["MusemoPipeline", "MusemoFlowGenerator"]] * 3
    assert with_package["same"] == [True] * 5


def test_it_generates_without_the_package(with_package, without_package):
    assert without_package["mels"] == with_package["mels"]
    assert without_package["modules"] == ["diffusers_modules", "transformers_modules"]
    assert without_package["audio"] == [1, 32 * 512 - 512]
    assert without_package["differ"] > 1e-3
    assert "trust_remote_code" in without_package["untrusted"]
    assert without_package["fork"]


def test_the_pipeline_of_diffusers_runs_without_the_package(without_package):
    assert without_package["pipeline"], "the same song"
    assert without_package["pipeline modules"] == ["diffusers_modules"] * 2
    assert without_package["title"] == "valence +0.80, arousal +0.70"
    assert without_package["dtype"] == "torch.bfloat16"
    assert "trust_remote_code" in without_package["untrusted pipeline"]
