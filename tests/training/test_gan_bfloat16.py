"""Mixed precision does the same training: what is sensitive stays in float32, and gradients agree."""

import math

import pytest
import torch
from torch.nn import functional

from musemo_hf import MusemoGanConfig
from musemo_hf.training.gan.step import Batch
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.log import read_statistics

RELATIVISTIC = {"preset": "modern"}, {"loss": "rpgan", "r1_gamma": 1.0, "r2_gamma": 2.0, "penalty_every": 2}
RECIPES = {
    "relativistic": (RELATIVISTIC[0], RELATIVISTIC[1] | {"augmentation": "diffaugment"}),
    "enhanced": ({"generator_channels": 32}, {}),
    "scales": (RELATIVISTIC[0] | {"scales": 2}, RELATIVISTIC[1]),
    "transformer": (RELATIVISTIC[0] | {"generator_network": "transformer"}, RELATIVISTIC[1]),
    "finite differences": (RELATIVISTIC[0], RELATIVISTIC[1] | {"penalty": "finite_difference"}),
}


@pytest.fixture
def trainer(clips, gan_training, tmp_path):
    def make(recipe, folder="run", bfloat16=True, **changes):
        networks, training = RECIPES[recipe]
        small = {"n_frames": 32, "generator_channels": 16, "discriminator_channels": 8, "group_norm_groups": 2}
        small |= {"transformer_dim": 16, "transformer_layers": 1}
        settings = {"bfloat16": bfloat16, "balance": False, "instance_noise": 0.0}
        return GanTrainer(
            MusemoGanConfig(**(small | networks)),
            gan_training(**(settings | training | changes)),
            clips,
            tmp_path / folder,
        )

    return make


def gradients(trainer, clips):
    """Of one iteration's losses, for each network; nothing is updated."""
    updates, found = trainer.updates, {}

    def keep(name, loss):
        parameters = [p for group in updates.optimizers[name].param_groups for p in group["params"]]
        found[name] = torch.autograd.grad(loss, parameters, allow_unused=True)
        return loss.detach()

    updates._descend = keep
    noise = torch.randn(4, 100, generator=torch.Generator().manual_seed(1))
    updates.iterate(0, Batch(clips.spectrogram[:4], clips.emotion[:4], noise), (True, True))
    return {name: [part for part in parts if part is not None] for name, parts in found.items()}


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_trains_and_what_is_kept_is_float32(trainer, state, tmp_path, recipe):
    run = trainer(recipe, steps=3, check_every=3)
    networks = ("generator", "discriminator", "averaged_generator")
    before = state(run, *networks)
    run.train()
    lines = read_statistics(tmp_path / "run" / "gan.jsonl")
    assert all(math.isfinite(value) for line in lines for value in line.values())
    after = state(run, *networks)
    assert {value.dtype for value in after.values() if value.is_floating_point()} == {torch.float32}
    changed = {key.split(".")[0] for key in after if not torch.equal(after[key], before[key])}
    assert changed == set(networks)
    for optimizer in run.updates.optimizers.values():
        kept = [moments[key] for moments in optimizer.state.values() for key in ("exp_avg", "exp_avg_sq")]
        assert {value.dtype for value in kept} == {torch.float32}


def test_convolutions_run_in_bfloat16_and_logits_in_float32(trainer, clips):
    for wanted, convolved in ((True, torch.bfloat16), (False, torch.float32)):
        run, seen = trainer("relativistic", str(wanted), wanted), []
        run.discriminator.last.register_forward_hook(lambda module, given, made, kept=seen: kept.append(made.dtype))
        run.generator.to_mel.register_forward_hook(lambda module, given, made, kept=seen: kept.append(made.dtype))
        with run.updates.autocast():
            fake = run.generator(emotion=clips.emotion[:2], noise=torch.randn(2, 100)).spectrogram
            logits = run.discriminator(spectrogram=fake, emotion=clips.emotion[:2]).logits
        assert seen == [convolved, convolved]
        assert logits.dtype == torch.float32


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe != "finite differences"])
def test_gradients_are_those_of_float32(trainer, clips, recipe):
    single, mixed = (gradients(trainer(recipe, str(bfloat16), bfloat16), clips) for bfloat16 in (False, True))
    for name in ("generator", "discriminator"):
        assert {part.dtype for part in mixed[name]} == {torch.float32}
        expected, made = (torch.cat([part.flatten() for part in parts[name]]) for parts in (single, mixed))
        assert functional.cosine_similarity(made, expected, dim=0) > 0.98
        assert made.norm().item() == pytest.approx(expected.norm().item(), rel=0.1)


@pytest.mark.parametrize("recipe", ["relativistic", "finite differences"])
def test_penalties_are_those_of_float32(trainer, clips, recipe):
    penalties = {}
    for bfloat16 in (False, True):
        updates = trainer(recipe, str(bfloat16), bfloat16).updates
        shown, emotion = clips.spectrogram[:8].clone().requires_grad_(), clips.emotion[:8]
        with updates.autocast():
            logits = updates.discriminator(spectrogram=shown, emotion=emotion).logits
        torch.manual_seed(0)
        penalties[bfloat16] = updates._penalty(shown, emotion, logits, (2.0, 6.0))
    assert penalties[True].dtype == torch.float32
    assert penalties[True].item() == pytest.approx(penalties[False].item(), rel=0.03)


def test_resumed_bit_for_bit(trainer, interrupt, state, assert_same):
    changes = {"steps": 5, "check_every": 100, "checkpoint_every": 2}
    unbroken = trainer("relativistic", "unbroken", **changes)
    unbroken.train()
    interrupt(trainer("relativistic", "broken", **changes), 3)
    resumed = trainer("relativistic", "broken", **changes)
    resumed.train()
    assert_same(state(unbroken), state(resumed))


def test_a_run_goes_on_in_the_precision_it_began_in(trainer, interrupt):
    interrupt(trainer("relativistic", bfloat16=False, checkpoint_every=2), 3)
    with pytest.raises(ValueError, match="bfloat16 False -> True"):
        trainer("relativistic", bfloat16=True, checkpoint_every=2).train()
