import pytest

from musemo_hf.training.configuration import Configuration, load_configuration


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
        ("gan_training: {accuracy_band: [0.7]}", r"accuracy_band: expected 2 values, got \[0.7\]"),
        ("gan_training: {accuracy_band: [low, 0.8]}", "accuracy_band: expected a value of type float, got 'low'"),
        ("gan_training: {epochs: [1]}", "epochs: expected a value of type float"),
        ("ablation: {seeds: 3}", "seeds: expected a value of type list"),
        ("ablation: {folds: 3}", "folds: expected a value of type list"),
        ("ablation: {seeds: [a]}", "seeds: expected a value of type int, got 'a'"),
        ("data: {n_songs: 1.5}", "n_songs: expected a value of type int, got 1.5"),
        ("data: {labels: 3}", "labels: expected a value of type str, got 3"),
        ("data: [1, 2]", r"data: expected keys and values, got \[1, 2\]"),
        ("generator: 7", "generator: expected a value of type dict, got 7"),
        ("- a\n- b", "expected keys and values"),
        ("data: {a: [}", "expected YAML"),
    ],
)
def test_refuses_and_says_where(yaml_file, text, message):
    with pytest.raises(ValueError, match=message):
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


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a YAML configuration, found no file"):
        load_configuration(tmp_path / "missing.yaml")
