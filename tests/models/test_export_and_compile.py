"""`torch.export` with a dynamic batch, and `torch.compile(fullgraph=True)` in training, of every model."""

import pytest
import torch

from musemo_hf import MusemoFlowGenerator

FLOW = {"n_frames": 96, "patch_size": (64, 8), "n_components": 4, "width": 8, "depth": 1, "n_heads": 1}


@pytest.fixture
def flow():
    """A flow with all kinds of latents, and its inputs."""
    torch.manual_seed(0)
    model = MusemoFlowGenerator(**FLOW, n_pulse_bands=4).eval()
    inputs = {"latents": torch.randn(3, model.n_latents), "t": torch.rand(3), "emotion": torch.rand(3, 2)}
    return model, inputs


def check_export(model, inputs):
    dynamic = {name: {0: torch.export.Dim.DYNAMIC} for name in inputs}
    exported = torch.export.export(model, (), inputs, dynamic_shapes=dynamic).module()
    for n in (2, 7):
        others = {name: value.repeat_interleave(3, dim=0)[:n] for name, value in inputs.items()}
        with torch.no_grad():
            found, expected = (each(**others)[0] for each in (exported, model))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def check_compile(model, run, backend):
    """Compare loss and gradients of a whole graph with those of the model."""
    outcomes = []
    for compiled in (False, True):
        torch._dynamo.reset()
        model.zero_grad()
        torch.manual_seed(1)  # windows, which inductor draws from numbers of its own unless it is told otherwise
        options = {"fallback_random": True} if backend == "inductor" else None
        loss = run(torch.compile(model, fullgraph=True, backend=backend, options=options) if compiled else model)
        loss.backward()
        gradients = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
        outcomes.append((loss.detach(), gradients))
    torch.testing.assert_close(*outcomes, atol=1e-4, rtol=1e-3)


def test_torch_export(case):
    check_export(case.model(), case.inputs)


def test_torch_export_of_a_flow(flow):
    check_export(*flow)


COMPILED = ["recogniser with all heads", "modern generator", "enhanced discriminator", "pretrained discriminator"]


@pytest.mark.parametrize("name", COMPILED)
def test_torch_compile_for_training(case_of, name):
    case = case_of(name)
    check_compile(case.model().train(), lambda model: case.loss(model(**case.inputs, **case.labels)), "aot_eager")


def test_torch_compile_of_a_flow_for_training(flow):
    model, inputs = flow
    check_compile(model.train(), lambda each: each(**inputs).velocity.square().mean(), "aot_eager")


@pytest.mark.slow
def test_torch_compile_by_inductor_for_training(case):
    case_model = case.model().train()
    check_compile(case_model, lambda model: case.loss(model(**case.inputs, **case.labels)), "inductor")
