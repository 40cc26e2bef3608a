import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from musemo_hf.experiments.study.plan import StudyConfiguration
from musemo_hf.training.configuration import REMOVED, Configuration, load_configuration
from musemo_hf.training.vocoder.settings import VocoderConfiguration
from musemo_hf.training.wavegan.settings import WaveganConfiguration

CONFIGS = Path(__file__).parents[2] / "training/configs"


@pytest.fixture
def yaml_file(tmp_path):
    def write(text):
        path = tmp_path / "run.yaml"
        path.write_text(text)
        return path

    return write


def test_defaults_alone():
    assert load_configuration() == Configuration()


def test_a_file_is_merged_over_the_defaults_and_overrides_over_that(yaml_file):
    path = yaml_file(
        """
        generator: {preset: simple, n_frames: 431}
        gan_training:
          steps: 77
          generator_lr: 2e-4   # text in YAML 1.1
          betas: [0.0, 0.9]
        ablation:
          seeds: [0, 1]
        """
    )
    merged = load_configuration(path, ["gan_training.steps=5", "generator.preset=enhanced", "ablation.folds=[0]"])
    assert merged.gan_training.steps == 5
    assert merged.gan_training.generator_lr == 2e-4
    assert merged.gan_training.betas == (0.0, 0.9)
    assert merged.gan_training.batch_size == Configuration().gan_training.batch_size
    assert merged.generator == {"preset": "enhanced", "n_frames": 431}
    assert (merged.ablation.seeds, merged.ablation.folds) == ([0, 1], [0])


def test_an_integer_is_a_number_and_null_is_allowed_where_declared():
    merged = load_configuration(None, ["gan_training.instance_noise=0", "data.n_songs=12", "gan_training.epochs=2"])
    assert (merged.gan_training.instance_noise, merged.data.n_songs, merged.gan_training.epochs) == (0.0, 12, 2.0)
    assert isinstance(merged.gan_training.instance_noise, float)
    assert load_configuration(None, ["data.n_songs=null"]).data.n_songs is None


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_shipped_configuration_loads_and_prints_to_the_same(path, yaml_file):
    kinds = {"study": StudyConfiguration, "vocoder": VocoderConfiguration, "wavegan": WaveganConfiguration}
    defaults = kinds.get(path.parent.name, kinds.get(path.stem.partition("_")[0], Configuration))()
    configuration = load_configuration(path, defaults=defaults)
    assert configuration != defaults
    assert load_configuration(yaml_file(configuration.to_yaml()), defaults=defaults) == configuration


def test_an_empty_file_or_section_is_the_defaults(yaml_file):
    assert load_configuration(yaml_file("")) == Configuration()
    assert load_configuration(yaml_file("data:\ngenerator:\n"), ["data.n_songs=3"]).data.n_songs == 3


def test_printed_in_full_and_read_back(yaml_file):
    configuration = load_configuration(None, ["gan_training.steps=3", "recogniser.hidden_size=64"])
    text = configuration.to_yaml()
    for section in ("data", "generator", "gan_training", "recogniser", "recogniser_training", "ablation"):
        assert f"{section}:" in text
    assert "discriminator_lr: 0.0001" in text
    assert load_configuration(yaml_file(text)) == configuration


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gan_trainning: {steps: 3}", r"run\.yaml: expected one of data, generator, .*got 'gan_trainning'"),
        ("gan_training: {step: 3}", r"run\.yaml: gan_training: expected one of steps.*got 'step'"),
        ("gan_training: {steps: many}", r"gan_training: steps: expected a value of type int, got 'many'"),
        ("gan_training: {steps: 2.5}", "steps: expected a value of type int, got 2.5"),
        ("gan_training: {steps: true}", "steps: expected a value of type int, got True"),
        ("gan_training: {steps: null}", "steps: expected a value of type int, got None"),
        ("gan_training: {generator_lr: quick}", "generator_lr: expected a value of type float, got 'quick'"),
        ("gan_training: {balance: 1}", "balance: expected a value of type bool, got 1"),
        ("gan_training: {accuracy_band: [0.7]}", r"accuracy_band: expected .* tuple\[float, float\], got \[0.7\]"),
        ("gan_training: {accuracy_band: [low, 0.8]}", r"accuracy_band: expected .* got \['low', 0.8\]"),
        ("gan_training: {epochs: [1]}", "epochs: expected a value of type float"),
        ("ablation: {seeds: 3}", "seeds: expected a value of type list"),
        ("ablation: {folds: 3}", "folds: expected a value of type list"),
        ("ablation: {seeds: [a]}", r"seeds: expected a value of type list\[int\], got \['a'\]"),
        ("data: {n_songs: 1.5}", r"n_songs: expected a value of type int \| None, got 1.5"),
        ("data: {labels: 3}", "labels: expected a value of type str, got 3"),
        ("data: [1, 2]", r"data: expected keys and values, got \[1, 2\]"),
        ("generator: 7", "generator: expected keys and values, got 7"),
        ("generator: {3: 7}", r"generator: expected keys and values, got \{3: 7\}"),
        ("gan_training: {steps: '3'}", "steps: expected a value of type int, got '3'"),
        ("gan_training: {generator_lr: .nan}", "generator_lr: expected a value of type float, got nan"),
        (f"gan_training: {{generator_lr: {'9' * 400}}}", "generator_lr: expected a value of type float, got 999"),
        ("gan_training: {loss: wgan}", r"run\.yaml: gan_training: expected loss to be one of .*got 'wgan'"),
        ("generator: {preset: '${oc.env:HOME}'}", "expected plain values, got an interpolation"),
        ("generator: {preset: '???'}", "expected plain values, got .* a missing one"),
        ("data: {n_songs: 1, n_songs: 2}", "expected YAML, got .*duplicate key n_songs"),
        ("- a\n- b", "expected keys and values"),
        ("3", "expected YAML"),
        ("data: {a: [}", "expected YAML"),
    ],
)
def test_refuses_and_says_where(yaml_file, text, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        load_configuration(yaml_file(text))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("steps=3", "expected section.key=value, got 'steps=3'"),
        ("gan_training.steps", "expected section.key=value"),
        ("gan_training.step=3", "gan_training.step=3: gan_training: expected one of"),
        ("gan_training.steps=x", "expected a value of type int, got 'x'"),
        ("gan_training.steps=[", "expected YAML"),
    ],
)
def test_refuses_overrides(override, message):
    with pytest.raises(ValueError, match=message):
        load_configuration(None, [override])


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "run.yaml").write_bytes(b"generator: {a: \xff}")
    with pytest.raises(ValueError, match=r"run\.yaml: expected YAML, got .*utf-8"):
        load_configuration(tmp_path / "run.yaml")


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a YAML configuration, found no file"):
        load_configuration(tmp_path / "missing.yaml")


def test_values_that_need_each_other_come_in_any_order():
    configuration = load_configuration(None, ["gan_training.cycle_weight=1", "gan_training.recogniser=folder"])
    assert (configuration.gan_training.cycle_weight, configuration.gan_training.recogniser) == (1.0, "folder")


def test_a_file_is_merged_over_its_base(tmp_path, yaml_file):
    (tmp_path / "common.yaml").write_text("generator: {preset: simple, scales: 3}\ngan_training: {steps: 7}\n")
    path = yaml_file("base: common.yaml\ngenerator: {preset: enhanced}\ngan_training:")
    merged = load_configuration(path, ["gan_training.seed=3"])
    assert merged.generator == {"preset": "enhanced", "scales": 3}
    assert (merged.gan_training.steps, merged.gan_training.seed) == (7, 3)


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        ("other.yaml\ngenerator: {a: {b: 1}}", ValueError, r"run\.yaml: expected values that can be merged over"),
        ("run.yaml", ValueError, r"run\.yaml: base: expected a file that has no base itself"),
        ("missing.yaml", FileNotFoundError, r"found no file .*missing\.yaml"),
    ],
)
def test_refuses_a_base_that_is_missing_or_has_a_base_or_another_shape(tmp_path, yaml_file, base, error, message):
    (tmp_path / "other.yaml").write_text("generator: {a: [1]}")
    with pytest.raises(error, match=message):
        load_configuration(yaml_file(f"base: {base}"))


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "generator: &a {b: *a}",
        "generator: " + "[" * 50_000,
        "generator: {a: !!python/object/apply:os.getcwd []}",
        "generator: {a: !!binary aGk=}",
        "generator: {a: !!set {b}}",
        "generator: {a: !!int ''}",
        "generator: {a: !!timestamp b}",
        "generator: {a: !unknown b}",
        "? [1, 2]\n: 3",
        "null: 1",
        "data: {}\n---\ndata: {}",
        "generator: {a: '" + "b" * 300_000 + "'}",
        "\x00",
    ],
    ids=str.__len__,
)
def test_hostile_text_is_refused_by_one_error(yaml_file, text):
    with pytest.raises(ValueError, match=r"run\.yaml: expected "):
        load_configuration(yaml_file(text))


@given(st.text(max_size=60))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_text_is_a_configuration_or_a_value_error_that_names_its_place(yaml_file, text):
    assert names_its_place("run.yaml", yaml_file(f"generator: {text}"))
    assert names_its_place("gan_training.steps=", None, [f"gan_training.steps={text}"])
    assert names_its_place("generator.preset=", None, [f"generator.preset={text}"])


def names_its_place(place, *arguments):
    """Whether what comes back is a configuration, or an error with the place in its message."""
    try:
        return isinstance(load_configuration(*arguments), Configuration)
    except ValueError as error:
        return str(error).find(place) >= 0


AMBIGUOUS = ("2e-4", "1e3", "no", "y", "null", "~", "12:30:45", "0x1F", "1_000", "2020-01-01", "<<", "=", ".inf", "0o7")
YAML_TEXTS = st.sampled_from(AMBIGUOUS)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | YAML_TEXTS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=6,
)


@given(
    values=st.dictionaries(st.text(max_size=8), PLAIN, max_size=4),
    rate=st.floats(min_value=0, max_value=1e300, allow_subnormal=False),
    band=st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)),
    songs=st.none() | st.integers(),
    budget=st.text(max_size=12) | YAML_TEXTS,
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_what_is_printed_reads_back_to_the_same(yaml_file, values, rate, band, songs, budget):
    assume(not any(mark in repr((values, budget)) for mark in ("${", "???")))
    configuration = Configuration(generator=values)
    configuration.gan_training.generator_lr, configuration.gan_training.betas = rate, band
    configuration.data.n_songs, configuration.ablation.budget = songs, budget
    again = load_configuration(yaml_file(configuration.to_yaml()))
    assert again == configuration
    assert type(again.gan_training.betas) is tuple


REMOVED_KEYS = [(section, key) for section, keys in REMOVED.items() for key in keys]


@pytest.mark.parametrize(("section", "key"), REMOVED_KEYS)
def test_a_removed_key_loads_with_its_former_default_and_no_other(yaml_file, section, key):
    path = yaml_file(json.dumps({section: {key: REMOVED[section][key]}}))  # JSON, whose null is None
    with pytest.warns(FutureWarning, match=rf"run\.yaml: {section}: {key} was removed"):
        assert load_configuration(path) == Configuration()
    with pytest.raises(ValueError, match=rf"{section}: {key} was removed: expected its former default .*, got 7"):
        load_configuration(None, [f"{section}.{key}=7"])


def test_the_configuration_of_a_packaged_run_of_an_earlier_version_still_loads(yaml_file):
    stored = (Path(__file__).parent / "fixtures" / "earlier_configuration.json").read_text()
    with pytest.warns(FutureWarning, match="was removed"):
        loaded = load_configuration(yaml_file(stored))
    assert loaded.recogniser == json.loads(stored)["recogniser"]
    now = load_configuration(CONFIGS / "recogniser_10s.yaml")
    assert loaded.recogniser_training == now.recogniser_training
