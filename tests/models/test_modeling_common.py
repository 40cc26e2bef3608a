"""The common tests of transformers (`tests/test_modeling_common.py`, ModelTesterMixin), under its names.

They are written anew, for inputs that are not text, over the registry in `conftest.py`.
"""

import copy
import inspect

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

SINGULAR = (".0._u", ".0._v")  # of spectral normalisation; they follow the weights


def run(model, inputs, **options):
    with torch.no_grad():
        return model(**inputs, **options)


def assert_equal_outputs(first, second, tolerance=1e-5):
    """Compare tuples of tensors, or of tuples of tensors."""
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        if isinstance(one, tuple):
            assert_equal_outputs(one, other, tolerance)
        else:
            torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


def test_config(case, tmp_path):
    config, kind = case.config, type(case.config)
    values = config.to_json_string(use_diff=False)
    assert kind(**copy.deepcopy(config.to_dict())).to_json_string(use_diff=False) == values
    config.to_json_file(tmp_path / "config.json", use_diff=False)
    assert kind.from_json_file(tmp_path / "config.json").to_json_string(use_diff=False) == values
    config.save_pretrained(tmp_path / "sub")
    loaded = kind.from_pretrained(tmp_path, subfolder="sub")
    assert kind.from_dict(loaded.to_dict()).to_json_string() == loaded.to_json_string()
    sizes = {name for name in inspect.signature(kind).parameters if isinstance(getattr(config, name, None), int | str)}
    assert len(sizes) > 6
    assert all(getattr(loaded, name) == getattr(config, name) for name in sizes)
    assert kind.from_pretrained(tmp_path / "sub", output_hidden_states=True, return_dict=False).output_hidden_states
    kind()  # without arguments


def test_save_load(case, tmp_path):
    model = case.model()
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"config.json", "model.safetensors"}
    loaded, info = case.model_class.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert not loaded.training
    assert_equal_outputs(run(loaded, case.inputs).to_tuple(), run(model, case.inputs).to_tuple())
    loaded.save_pretrained(tmp_path / "again")
    first, second = (load_file(folder / "model.safetensors") for folder in (tmp_path, tmp_path / "again"))
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_torch_save_load(case, tmp_path):
    model, other = case.model(), case.model_class(case.config)
    torch.save(model.state_dict(), tmp_path / "weights.bin")
    other.load_state_dict(torch.load(tmp_path / "weights.bin", weights_only=True))
    assert_equal_outputs(run(other.eval(), case.inputs).to_tuple(), run(model, case.inputs).to_tuple())


def test_from_pretrained_no_checkpoint(case):
    model = case.model()
    made = case.model_class.from_pretrained(None, config=model.config, state_dict=model.state_dict())
    assert_equal_outputs(run(made.eval(), case.inputs).to_tuple(), run(model, case.inputs).to_tuple())


def test_determinism(case):
    model = case.model()
    first, second = (run(model, case.inputs)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_batching_equivalence(case):
    model = case.model()
    together = run(model, case.inputs)
    for i in range(3):
        alone = run(model, {name: value[i : i + 1] for name, value in case.inputs.items()})
        assert_equal_outputs(alone.to_tuple(), [part[i : i + 1] for part in together.to_tuple()])


def test_model_main_input_name(case):
    assert list(inspect.signature(case.model_class.forward).parameters)[1] == case.model_class.main_input_name


def test_model_outputs_equivalence(case):
    model = case.model()
    options = [{}] + ([{"output_hidden_states": True, "output_attentions": True}] if case.labels else [])
    for option in options:
        inputs = case.inputs | case.labels
        named = run(model, inputs, return_dict=True, **option)
        assert_equal_outputs(run(model, inputs, return_dict=False, **option), named.to_tuple())
    model.config.return_dict = False
    assert isinstance(run(model, case.inputs), tuple)


def test_training(case):
    model = case.model().train()
    case.loss(model(**case.inputs, **case.labels)).backward()
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    # the emotion of a map reaches the first layers, a gate of 0 hides its attention until it opens
    unreached = {name for name, value in trained.items() if value.grad is None}
    assert not unreached
    assert trained


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_training_gradient_checkpointing(encoder_case, use_reentrant):
    gradients = []
    for checkpointed in (False, True):
        model = encoder_case.model().train()
        if checkpointed:
            model.gradient_checkpointing_enable({"use_reentrant": use_reentrant})
            model.enable_input_require_grads()
        torch.manual_seed(1)  # windows
        encoder_case.loss(model(**encoder_case.inputs, **encoder_case.labels)).backward()
        gradients.append({name: value.grad for name, value in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient)


def test_attention_outputs(encoder_case):
    config = encoder_case.config
    tokens = config.grid[0] * config.grid[1] + config.n_prefix_tokens
    # eager from the start, eager in the configuration, and any other implementation, which computes none itself
    eager = encoder_case.model_class._from_config(copy.deepcopy(config), attn_implementation="eager").eval()
    configured = encoder_case.model_class._from_config(copy.deepcopy(config), attn_implementation="eager").eval()
    configured.config.output_attentions = True
    for model, options in ((eager, True), (configured, None), (encoder_case.model(), True)):
        before = model.config._attn_implementation
        output = run(model, encoder_case.inputs, output_attentions=options)
        assert len(output.attentions) == config.num_hidden_layers
        assert output.attentions[0].shape[1:] == (config.num_attention_heads, tokens, tokens)
        torch.testing.assert_close(output.attentions[0].sum(-1), torch.ones_like(output.attentions[0][..., 0]))
        both = run(model, encoder_case.inputs, output_attentions=True, output_hidden_states=True)
        assert len(both) == len(output) + 1
        assert list(both)[-2:] == ["hidden_states", "attentions"]  # attention is last
        assert model.vit.config._attn_implementation == model.config._attn_implementation == before
    assert run(eager, encoder_case.inputs).attentions is None


def test_hidden_states_output(encoder_case):
    config = encoder_case.config
    tokens = config.grid[0] * config.grid[1] + config.n_prefix_tokens
    asked, configured = encoder_case.model(), encoder_case.model()
    configured.config.output_hidden_states = True
    for model, options in ((asked, True), (configured, None)):
        hidden = run(model, encoder_case.inputs, output_hidden_states=options).hidden_states
        assert len(hidden) == config.num_hidden_layers + 1
        assert all(state.shape[1:] == (tokens, config.hidden_size) for state in hidden)
    assert run(asked, encoder_case.inputs).hidden_states is None
    assert run(configured, encoder_case.inputs, output_hidden_states=False).hidden_states is None


def test_retain_grad_hidden_states_attentions(encoder_case):
    output = encoder_case.model()(**encoder_case.inputs, output_hidden_states=True, output_attentions=True)
    kept = [output.hidden_states[0], output.attentions[0]]
    for value in kept:
        value.retain_grad()
    output.emotion.flatten()[0].backward()
    assert all(value.grad.abs().sum() > 0 for value in kept)


def test_model_get_set_embeddings(case):
    model, replaced = case.model(), nn.Linear(2, 2)
    assert isinstance(model.get_input_embeddings(), nn.Module)
    model.set_input_embeddings(replaced)
    assert model.get_input_embeddings() is replaced
    assert model.get_output_embeddings() is None


def test_can_init_all_missing_weights(case):
    """What `from_pretrained` finds in no file is initialised, and not left as it lies in memory."""
    made = case.model_class.from_pretrained(None, config=copy.deepcopy(case.config), state_dict={})
    expected = case.model_class(copy.deepcopy(case.config))
    assert made.state_dict().keys() == expected.state_dict().keys()
    assert not any(value.device.type == "meta" for value in [*made.parameters(), *made.buffers()])
    for name, value in made.state_dict().items():
        assert torch.isfinite(value).all(), name
        if name.endswith(SINGULAR) and value.numel() == 1:  # 1 or -1
            assert value.abs().item() == pytest.approx(1), name
        elif expected.state_dict()[name].unique().numel() == 1:  # zeros and ones
            assert torch.equal(value, expected.state_dict()[name]), name
        else:  # drawn at random, with the same spread
            ratio = value.std() / expected.state_dict()[name].std()
            assert name.endswith(SINGULAR) or 0.3 < ratio < 3, name
    assert all(torch.isfinite(value).all() for value in run(made.eval(), case.inputs).to_tuple())


def test_init_weights_can_init_buffers(case):
    with torch.device("meta"):
        model = case.model_class(copy.deepcopy(case.config))
    model.to_empty(device="cpu")
    for value in [*model.parameters(), *model.buffers()]:
        value.data.fill_(float("nan"))  # what is left in memory
    model.init_weights()
    expected = dict(case.model_class(copy.deepcopy(case.config)).named_buffers())
    assert dict(model.named_buffers()).keys() == expected.keys()
    for name, value in model.named_buffers():
        if name.endswith(SINGULAR):
            assert value.norm().item() == pytest.approx(1, abs=1e-4), name
        else:
            assert torch.equal(value, expected[name]), name
    for layer in (module for module in model.modules() if hasattr(module, "parametrizations")):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_all_tensors_are_parameter_or_buffer(case):
    with torch.device("meta"):
        model = case.model_class(copy.deepcopy(case.config))
    model.to_empty(device="cpu")
    for module in model.modules():
        assert not any(isinstance(value, torch.Tensor) for value in vars(module).values())


def test_correct_missing_keys(encoder_case, tmp_path):
    """A folder of the encoder alone is loaded, with new heads."""
    model = encoder_case.model()
    model.base_model.save_pretrained(tmp_path)
    changes = {"uncertainty": model.config.uncertainty}
    loaded, info = encoder_case.model_class.from_pretrained(tmp_path, output_loading_info=True, **changes)
    assert info["missing_keys"]
    assert not any(name.startswith("vit.") for name in info["missing_keys"])
    assert not info["unexpected_keys"]
    shape = ("n_mels", "n_frames", "window_frames", "hidden_size", "grid", "is_ast")
    assert all(getattr(loaded.config, name) == getattr(model.config, name) for name in shape)


def test_base_model_prefix_loads_base_weights(encoder_case, tmp_path):
    model = encoder_case.model()
    model.base_model.save_pretrained(tmp_path)
    loaded = encoder_case.model_class.from_pretrained(tmp_path)
    assert loaded.config.model_type == "musemo_vit"
    assert loaded.base_model is loaded.vit
    expected = model.vit.state_dict()
    assert expected.keys() == loaded.vit.state_dict().keys()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.vit.state_dict().items())
    assert torch.isfinite(run(loaded, encoder_case.inputs).emotion).all()
    loaded.save_pretrained(tmp_path / "whole")
    again = encoder_case.model_class.from_pretrained(tmp_path / "whole")
    assert_equal_outputs(run(again, encoder_case.inputs).to_tuple(), run(loaded, encoder_case.inputs).to_tuple())


def test_weights_under_names_of_files_are_loaded(encoder_case, tmp_path):
    """`Trainer` gives a file's weights to `load_state_dict`, under the names that earlier versions had."""
    model, other = encoder_case.model(), encoder_case.model_class(encoder_case.config)
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    result = other.load_state_dict(stored, strict=False)
    assert (result.missing_keys, result.unexpected_keys) == ([], [])
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in other.state_dict().items())


def test_sdpa_can_dispatch_non_composite_models(encoder_case, tmp_path):
    encoder_case.model().save_pretrained(tmp_path)
    for wanted in ("sdpa", "eager"):
        model = encoder_case.model_class.from_pretrained(tmp_path, attn_implementation=wanted)
        configs = [getattr(part, "config", None) for part in model.modules()]
        configs = [config for config in configs if isinstance(config, PreTrainedConfig)]
        assert {config._attn_implementation for config in configs} == {wanted}
        assert len(configs) > 2


def test_can_set_attention_dynamically(encoder_case):
    model = encoder_case.model()
    for wanted in ("eager", "sdpa", "eager"):
        model.set_attn_implementation(wanted)
        parts = [part.config for part in model.modules() if isinstance(part, PreTrainedModel)]
        assert {config._attn_implementation for config in parts} == {wanted}
    with pytest.raises(ValueError, match="foo"):
        model.set_attn_implementation("foo")


def test_config_attn_implementation_setter(encoder_case):
    values = encoder_case.config.to_diff_dict()
    assert type(encoder_case.config)(**values, attn_implementation="eager")._attn_implementation == "eager"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_eager_matches_sdpa_inference(encoder_case, dtype, tmp_path):
    encoder_case.model().save_pretrained(tmp_path)
    load = encoder_case.model_class.from_pretrained
    models = [load(tmp_path, attn_implementation=kind, dtype=dtype) for kind in ("eager", "sdpa")]
    outputs = [run(model, encoder_case.inputs).to_tuple() for model in models]
    assert_equal_outputs(*outputs, tolerance=1e-5 if dtype == torch.float32 else 0.05)


def test_can_be_initialized_on_meta(case):
    with torch.device("meta"):
        model = case.model_class(copy.deepcopy(case.config))
    assert {value.device.type for value in model.parameters()} == {"meta"}


def test_generation_tester_mixin_inheritance(case):
    """No model makes sequences of tokens, which transformers means by `generate`."""
    assert not case.model_class.can_generate()


def test_label_names(case):
    """What `Trainer` takes for labels: no other argument is dropped from what the model is given."""
    arguments = inspect.signature(case.model_class.forward).parameters
    assert [name for name in arguments if "label" in name] == list(case.labels)
    # with keyword arguments of any name, `Trainer` leaves out the division by accumulated steps
    assert not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in arguments.values())
