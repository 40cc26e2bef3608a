"""Trained models become the packaged checkpoints, with the figures that were measured and no others."""

import json
import runpy
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModel

from musemo_hf import (
    MusemoFeatureExtractor,
    MusemoFlowGenerator,
    MusemoGanConfig,
    MusemoGanDiscriminator,
    MusemoGanGenerator,
    MusemoPipeline,
    MusemoViTConfig,
    MusemoViTForEmotionRegression,
)
from musemo_hf.hub import packaging

REPORT = {
    "quality_score": 61.25,
    "ccc_real_only": 0.59,
    "ccc_augmented": 0.58,
    "improvement_percent": -1.7,
    "validation": {"verdict": "NOT SHOWN"},
    "quality": {"quality_score": 61.25, "skill": -0.5},
    "arms": {"real": {"rmse": {"valence": {"value": 0.2212345}, "arousal": {"value": 0.1987654}}}},
    "corpus": {"name": "DEAM", "n_songs": 10, "procedural": False},
    "budget": "test",
    "seeds": [0],
}


@pytest.fixture
def trained(tmp_path):
    generator = MusemoGanGenerator(MusemoGanConfig(n_frames=48, generator_channels=8, group_norm_groups=1))
    config = MusemoViTConfig(
        n_frames=48, patch_size=(16, 16), hidden_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    for name, model in (("generator", generator), ("recogniser", MusemoViTForEmotionRegression(config))):
        model.save_pretrained(tmp_path / name)
        MusemoFeatureExtractor(n_frames=48).save_pretrained(tmp_path / name)
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    return tmp_path


def package(folder):
    return packaging.package_checkpoints(
        folder / "generator", folder / "recogniser", folder / "report.json", folder / "package"
    )


def test_a_recogniser_of_all_songs_is_measured_by_an_ablation_of_its_own(trained):
    other = REPORT | {"arms": {"real": {"rmse": {"valence": {"value": 0.2}, "arousal": {"value": 0.1}}}}, "seeds": [7]}
    (trained / "ablation.json").write_text(json.dumps(other))
    places = [trained / name for name in ("generator", "recogniser", "report.json", "package", "ablation.json")]
    made = packaging.package_checkpoints(*places)
    assert MusemoViTConfig.from_pretrained(made["recogniser"]).emotion_error == [0.2, 0.1]
    assert json.loads((made["recogniser"] / "report.json").read_text()) == other
    assert json.loads((made["generator"] / "report.json").read_text()) == REPORT


@pytest.fixture
def trained_flow(trained):
    """As `train_flow.py` and `measure_generator.py` leave it: generator/ and report.json."""
    torch.manual_seed(0)
    flow = MusemoFlowGenerator(n_frames=48, width=16, depth=1, n_heads=1, n_components=8)
    flow.fit(2 * torch.rand(12, 1, 128, 48) - 1, 2 * torch.rand(12, 2) - 1, seed=0)
    folder = trained / "flow" / "generator"
    flow.save_pretrained(folder)
    MusemoFeatureExtractor(n_frames=48).save_pretrained(folder)
    (trained / "flow" / "report.json").write_text(json.dumps(REPORT))
    return folder.parent


def test_the_script_replaces_what_it_is_given_and_nothing_else(trained, trained_flow, monkeypatch, capsys):
    made = package(trained)
    before = {path: path.read_bytes() for folder in made.values() for path in folder.rglob("*.*")}
    script = Path(__file__).parents[2] / "training" / "package_checkpoints.py"

    def run(*arguments):
        monkeypatch.setattr("sys.argv", [str(script), *map(str, arguments), "--target", str(trained / "package")])
        runpy.run_path(str(script), run_name="__main__")

    run("--flow", trained_flow)
    assert {path: path.read_bytes() for path in before} == before
    run("--gan", trained)
    assert {path: path.read_bytes() for path in before} == before  # it is the same generator, packaged alone
    assert "generator: half precision changes clips by 0.0" in capsys.readouterr().out
    assert MusemoPipeline.from_pretrained(trained / "package" / "flow").generator.config.n_frames == 48
    for arguments, message in (((), "got none"), ((trained,), "got a generator's alone")):
        with pytest.raises(SystemExit):
            run(*arguments)
        assert message in capsys.readouterr().err


def test_a_flow_is_packaged_in_half_precision_and_loads_in_full(trained, trained_flow, monkeypatch):
    package(trained)
    given = trained_flow / "generator", trained / "report.json", trained / "package", "flow"
    folder = packaging.package_generator(*given)
    before, after = (
        MusemoPipeline.from_pretrained(each)(valence=0.5, arousal=0.5, seed=0)
        for each in (trained_flow / "generator", folder)
    )
    assert MusemoPipeline.from_pretrained(folder).generator.dtype == torch.float32
    assert abs(before.spectrogram - after.spectrogram).max() < 0.5  # dB
    assert "flow" in (folder / "README.md").read_text()
    monkeypatch.setattr(packaging, "MAX_BYTES", 100_000)
    with pytest.raises(ValueError, match="expected checkpoints of at most 100,000 bytes"):
        packaging.package_generator(*given)


def test_packaged_checkpoints_load_and_carry_report_card_and_error(trained):
    made = package(trained)
    before = MusemoPipeline.from_pretrained(trained / "generator")(valence=0.5, arousal=0.5, seed=0)
    after = MusemoPipeline.from_pretrained(made["generator"])(valence=0.5, arousal=0.5, seed=0)
    assert 0 < abs(before.spectrogram - after.spectrogram).max() < 0.5  # dB: stored in half precision
    assert MusemoViTConfig.from_pretrained(made["recogniser"]).emotion_error == [0.2212, 0.1988]
    for folder in made.values():
        assert json.loads((folder / "report.json").read_text()) == REPORT
        assert not list(folder.glob("*.bin"))
    assert "61.25" in (made["generator"] / "README.md").read_text()
    assert "0.59" in (made["recogniser"] / "README.md").read_text()


def test_a_flow_is_packaged_as_a_gan_is(trained):
    shutil.rmtree(trained / "generator")
    flow = MusemoFlowGenerator(n_frames=48, n_components=8, width=16, depth=1, n_heads=2, num_inference_steps=3)
    flow.save_pretrained(trained / "generator")
    MusemoFeatureExtractor(n_frames=48).save_pretrained(trained / "generator")
    made = package(trained)["generator"]
    after = MusemoPipeline.from_pretrained(made)
    assert isinstance(after.generator, MusemoFlowGenerator)
    before = MusemoPipeline.from_pretrained(trained / "generator")(valence=0.5, arousal=0.5, seed=0)
    assert abs(before.spectrogram - after(valence=0.5, arousal=0.5, seed=0).spectrogram).max() < 0.5  # dB
    card = (made / "README.md").read_text()
    assert "in 3 Euler steps" in card
    assert "61.25" in card


def test_checkpoints_too_large_for_a_repository_replace_nothing(trained, monkeypatch):
    made = package(trained)
    (trained / "report.json").write_text(json.dumps(REPORT | {"budget": "other"}))
    monkeypatch.setattr(packaging, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="at most 1,000 bytes together"):
        package(trained)
    assert json.loads((made["generator"] / "report.json").read_text()) == REPORT


def test_the_report_of_a_single_generator_serves_as_that_of_an_ablation_does(trained):
    report = {name: value for name, value in REPORT.items() if name not in ("arms", "ccc_augmented")}
    report |= {"recogniser": {"rmse": [0.25, 0.21]}, "ccc_real_only": {"value": 0.51, "interval": [0.4, 0.6]}}
    (trained / "report.json").write_text(json.dumps(report))
    made = package(trained)
    assert MusemoViTConfig.from_pretrained(made["recogniser"]).emotion_error == [0.25, 0.21]
    card = (made["recogniser"] / "README.md").read_text()
    assert "0.51 (0.40 to 0.60)" in card


def test_a_discriminator_comes_along_and_counts(trained, monkeypatch):
    config = MusemoGanConfig(n_frames=48, generator_channels=8, group_norm_groups=1, discriminator_channels=8)
    MusemoGanDiscriminator(config).save_pretrained(trained / "generator/discriminator")
    made = package(trained)
    discriminator = made["generator"] / "discriminator"
    for folder, load in (
        (discriminator, MusemoGanDiscriminator.from_pretrained),
        (made["generator"], AutoModel.from_pretrained),
    ):
        with safe_open(folder / "model.safetensors", "pt") as stored:
            assert {stored.get_slice(name).get_dtype() for name in stored.keys()} == {"F16"}  # noqa: SIM118
        assert load(folder).dtype == torch.float32
        assert load(folder, dtype=torch.bfloat16).dtype == torch.bfloat16
    sizes = [path.stat().st_size for folder in made.values() for path in folder.rglob("*.safetensors")]
    monkeypatch.setattr(packaging, "MAX_BYTES", int(0.98 * sum(sizes)))
    with pytest.raises(ValueError, match="bytes together"):
        package(trained)


def test_a_recogniser_alone_is_packaged_under_the_name_that_says_what_it_knows(trained, tmp_path):
    emotion, target = torch.rand(12, 2) - 0.5, trained / "package"
    for embedder, size in ((None, 0), ("yamnet-v1", 6)):
        config = MusemoViTConfig(
            n_frames=48, kernel_read_out=True, kernel_statistics=["texture", "tonal"], network=False,
            embedder=embedder, embedding_size=size,
        )  # fmt: skip
        model = MusemoViTForEmotionRegression(config).eval()
        embedding = torch.rand(12, size) if size else None
        model.fit_in_closed_form(torch.rand(12, 1, 128, 48), emotion, embedding=embedding)
        model.save_pretrained(tmp_path / "alone")
        MusemoFeatureExtractor(n_frames=48).save_pretrained(tmp_path / "alone")
        name, other = ("recogniser", "recogniser-yamnet")[:: -1 if size else 1]
        given = tmp_path / "alone", trained / "report.json", target
        with pytest.raises(ValueError, match=f"expected the name {name} "):
            packaging.package_recogniser(*given, other)
        folder = packaging.package_recogniser(*given, name)
        assert folder == target / name
        loaded = MusemoViTForEmotionRegression.from_pretrained(folder)
        assert loaded.config.emotion_error == [0.2212, 0.1988]
        card = (folder / "README.md").read_text()
        assert "kernel ridge regression on texture, tonal statistics" in card
        assert ("With external data" in card) == bool(size)
    assert sorted(path.name for path in target.iterdir()) == ["recogniser", "recogniser-yamnet"]
