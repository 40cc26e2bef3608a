"""The plan of a study: its variants, their kinds, and what the shipped budgets share."""

from pathlib import Path

import pytest

from musemo_hf.experiments.study.plan import StudyConfiguration
from musemo_hf.training.configuration import load_configuration

CONFIGS = Path(__file__).parents[2] / "training/configs/study"


def load(*overrides) -> StudyConfiguration:
    return load_configuration(None, list(overrides), StudyConfiguration())


def test_a_variant_is_the_common_configuration_with_its_changes():
    study = load("generator.preset=simple", "variants.hinge={gan_training: {loss: hinge}, generator: {scales: 3}}")
    hinge, enhanced = study.of_variant("hinge"), study.of_variant("enhanced")
    assert (hinge.generator, hinge.gan_training.loss) == ({"preset": "simple", "scales": 3}, "hinge")
    assert (enhanced.generator, enhanced.gan_training.loss) == ({"preset": "simple"}, "bce")


@pytest.mark.filterwarnings("error::FutureWarning")
def test_the_kind_is_told_and_is_a_gan_where_it_is_not():
    study = load("variants.few-step={kind: flow, flow_training: {lr: 0.5}}", "variants.plain={kind: gan}")
    assert {name: study.kind_of(name) for name in study.variants} == {
        "enhanced": "gan",
        "few-step": "flow",
        "plain": "gan",
    }
    assert study.of_variant("few-step").flow_training.lr == 0.5


def test_the_teacher_replaces_its_name_and_nothing_else():
    study = load(
        "variants.cycle={gan_training: {cycle_weight: 0.5, recogniser: teacher}, generator: {scales: 3}}",
        "variants.projected={generator: {pretrained_discriminator: teacher}}",
    )
    assert [study.uses_teacher(name) for name in study.variants] == [False, True, True]
    cycle = study.of_variant("cycle", Path("runs/teacher"))
    assert (cycle.gan_training.cycle_weight, cycle.gan_training.recogniser) == (0.5, "runs/teacher")
    assert cycle.generator == {"scales": 3}
    projected = study.of_variant("projected", Path("runs/teacher")).generator
    assert projected == {"pretrained_discriminator": "runs/teacher"}
    assert study.of_variant("cycle").gan_training.recogniser == "teacher"


def test_former_keys_are_read_with_a_warning(tmp_path):
    (tmp_path / "old.yaml").write_text("rungs:\n  enhanced: {}\n  few-step: {flow_training: {lr: 0.5}}\n")
    with pytest.warns(FutureWarning) as warned:
        old = load_configuration(tmp_path / "old.yaml", [], StudyConfiguration())
    assert [str(warning.message).split(": ", 1)[1] for warning in warned] == [
        "the key rungs is now called variants",
        "variants: few-step: expected `kind: flow`; a flow is no longer told by its sections",
    ]
    assert old == load("variants.few-step={kind: flow, flow_training: {lr: 0.5}}")
    with pytest.warns(FutureWarning, match="the key rungs is now called variants"):
        assert load("rungs.hinge={gan_training: {loss: hinge}}").of_variant("hinge").gan_training.loss == "hinge"
    (tmp_path / "old.yaml").write_text("rungs: {enhanced: {}}\nvariants: {enhanced: {}}\n")
    with pytest.raises(ValueError, match=r"old\.yaml: expected variants, got also rungs"):
        load_configuration(tmp_path / "old.yaml", [], StudyConfiguration())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["study.baseline=simple"], "expected variants out of enhanced, got simple"),
        (["variants.more=3"], "variants: more: expected keys and values, got 3"),
        (["variants.more={generator: 3}"], "variants: more: generator: expected keys and values, got 3"),
        (
            ["variants.more={kind: [flow]}"],
            r"variants: more: kind: expected one of gan, flow, unet, wavegan, got \['flow'\]",
        ),
        (["variants.more={data: {}}"], "variants: more: expected kind or one of generator, .*, got data"),
        (["variants.more={gan_training: {seed: 1}}"], "variants: more: expected equal .* in all, got seed"),
        (["variants.more={gan_training: {loss: wgan}}"], "variants: more: gan_training: expected loss to be one of"),
        (
            ["variants.flow={kind: flow}", "study.baseline=flow"],
            "expected a baseline of the kind gan, got flow of the kind flow",
        ),
    ],
)
def test_refuses_and_names_the_variant(overrides, message):
    with pytest.raises(ValueError, match=message):
        load(*overrides).check()


def test_the_budgets_differ_in_sizes_and_lengths_and_not_in_what_they_compare():
    studies = [
        load_configuration(CONFIGS / f"{name}.yaml", [], StudyConfiguration()) for name in ("smoke", "budget", "full")
    ]
    sizes = {"transformer_dim", "transformer_layers", "transformer_heads"}
    rates = {"gamma_decay", "generator_lr", "discriminator_lr"}
    changes = []
    for study in studies:
        assert [study.kind_of(name) for name in ("texture", "unet", "wavegan")] == ["flow", "unet", "wavegan"]
        assert [name for name in study.variants if study.uses_teacher(name)] == [
            "plus cycle",
            "plus perceptual",
            "plus pretrained discriminator",
        ]
        changes.append(
            {
                name: {
                    section: {key: value for key, value in values.items() if key not in sizes | rates}
                    for section, values in (variant or {}).items()
                    if section != "kind"
                }
                for name, variant in study.variants.items()
            }
        )
    assert len(changes[0]) == 24
    assert changes[0] == changes[1] == changes[2]
