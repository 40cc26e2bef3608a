"""Every variant of the GAN trains, and resumes to the same bits, by values of the two configurations alone."""

import math

import pytest
import torch
from transformers import ASTConfig, ASTModel

from musemo_hf import MusemoGanConfig, MusemoViTForEmotionRegression
from musemo_hf.training.clips import Clips
from musemo_hf.training.gan.settings import GanTraining
from musemo_hf.training.gan.step import Batch
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.log import read_statistics

RELATIVISTIC = {"loss": "rpgan", "r1_gamma": 1.0, "r2_gamma": 2.0, "penalty_every": 2, "balance": False}
VARIANTS = {  # of the networks, of the training
    "simple": ({"preset": "simple"}, {}),
    "enhanced": ({}, {}),
    "without attention": ({"attention_stage": -1}, {}),
    "without spectral norm": ({"spectral_norm": False}, {}),
    "without the MLP": ({"emotion_embedding": "linear"}, {}),
    "without residual upsampling": ({"upsampling": "transposed"}, {}),
    "without balance": ({}, {"balance": False}),
    "hinge": ({}, {"loss": "hinge", "balance": False}),
    "rpgan": ({"preset": "modern"}, RELATIVISTIC),
    "finite differences": ({"preset": "modern"}, RELATIVISTIC | {"penalty": "finite_difference", "gamma_decay": 0.1}),
    "projection": ({"conditioning": "projection"}, {}),
    "modulation": ({"modulation": True}, {}),
    "scales": ({"preset": "modern", "scales": 2}, RELATIVISTIC),
    "diffaugment": ({}, {"augmentation": "diffaugment", "augmentation_probability": 0.7}),
    "transformer": ({"preset": "modern", "generator_network": "transformer"}, RELATIVISTIC),
    "cycle and perceptual": ({}, {"cycle_weight": 1.0, "perceptual_weight": 0.5, "recogniser": "vit"}),
    "perceptual by AST": ({}, {"perceptual_weight": 0.5, "perceptual_model": "ast"}),
    "projected by AST": ({"preset": "modern", "pretrained_discriminator": "ast"}, {"loss": "hinge"}),
    "projected by a recogniser": ({"preset": "modern", "pretrained_discriminator": "vit"}, {"loss": "hinge"}),
}


@pytest.fixture(scope="session")
def pretrained(vit_config, tmp_path_factory):
    """Folder of tiny pretrained models, made on the spot."""
    folder = tmp_path_factory.mktemp("pretrained")
    MusemoViTForEmotionRegression(vit_config).save_pretrained(folder / "vit")
    tiny = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    ASTModel(ASTConfig(**tiny, max_length=64, num_mel_bins=32)).save_pretrained(folder / "ast")
    return folder


@pytest.fixture
def variant(clips, gan_training, pretrained, tmp_path):
    def make(name, folder="run", **changes):
        networks, training = ({**values} for values in VARIANTS[name])
        for values in (networks, training):
            for key in values.keys() & {"pretrained_discriminator", "recogniser", "perceptual_model"}:
                values[key] = str(pretrained / values[key])
        small = {"n_frames": 32, "generator_channels": 16, "discriminator_channels": 4, "group_norm_groups": 2}
        small |= {"transformer_dim": 16, "transformer_layers": 1}
        config = MusemoGanConfig(**(small | networks))
        return GanTrainer(config, gan_training(**(training | changes)), clips, tmp_path / folder)

    return make


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_trains(variant, state, tmp_path, name):
    run = variant(name, steps=2, check_every=2)
    networks = ("generator", "discriminator", "averaged_generator")
    before = state(run, *networks)
    run.train()
    lines = read_statistics(tmp_path / "run" / "gan.jsonl")
    assert len(lines) == 2
    assert all(math.isfinite(value) for line in lines for value in line.values())
    changed = {key for key, value in state(run, *networks).items() if not torch.equal(value, before[key])}
    assert {key.split(".")[0] for key in changed} == set(networks)
    assert not [key for key in changed if ".frozen." in key]


@pytest.mark.parametrize("name", ["hinge", "rpgan", "finite differences", "diffaugment", "projected by AST"])
def test_resumed_bit_for_bit(variant, interrupt, state, assert_same, tmp_path, name):
    changes = {"steps": 5, "check_every": 100, "checkpoint_every": 2}
    unbroken, resumed = variant(name, "unbroken", **changes), variant(name, "broken", **changes)
    unbroken.train()
    interrupt(variant(name, "broken", **changes), 3)
    resumed.train()
    assert_same(state(unbroken), state(resumed))


def test_penalties_come_lazily_and_stand_for_the_iterations_between(variant, tmp_path):
    variant("rpgan", steps=4).train()
    lines = read_statistics(tmp_path / "run" / "gan.jsonl")
    assert ["penalty" in line for line in lines] == [True, False, True, False]
    run = variant("rpgan", "other", steps=4, penalty_every=3, gamma_decay=0.25)
    assert run.updates._gammas(0) == (3.0, 6.0)
    assert run.updates._gammas(1) == (0.0, 0.0)
    assert run.updates._gammas(3) == pytest.approx((3 * 0.25**0.75, 6 * 0.25**0.75))


def test_rates_fall_linearly_at_the_end(variant):
    updates = variant("rpgan", steps=10, lr_decay=0.5, generator_lr=2e-3, discriminator_lr=1e-3).updates
    rates = []
    for step in (0, 5, 6, 9):
        updates._set_rates(step)
        rates.append([group["lr"] for optimizer in updates.optimizers.values() for group in optimizer.param_groups])
    assert rates == [pytest.approx([2e-3 * left, 1e-3 * left]) for left in (1, 1, 0.8, 0.2)]


def test_the_penalty_is_half_of_gamma_times_the_squared_gradient(variant, clips):
    updates = variant("rpgan").updates
    shown, emotion = clips.spectrogram[:4].clone().requires_grad_(), clips.emotion[:4]
    logits = updates.discriminator(spectrogram=shown, emotion=emotion).logits
    penalty = updates._penalty(shown, emotion, logits, (2.0, 6.0))
    squared = torch.stack(
        [
            torch.autograd.grad(updates.discriminator(spectrogram=clip, emotion=label).logits.sum(), clip)[0]
            .square()
            .sum()
            for clip, label in (
                (clips.spectrogram[i : i + 1].clone().requires_grad_(), emotion[i : i + 1]) for i in range(4)
            )
        ]
    )
    expected = 0.5 * (2.0 * squared[:2].mean() + 6.0 * squared[2:].mean())
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_generator_leaves_the_discriminator_alone(variant, clips):
    updates = variant("rpgan").updates
    before = {name: value.clone() for name, value in updates.discriminator.state_dict().items()}
    batch = Batch(clips.spectrogram[:4], clips.emotion[:4], torch.randn(4, 100))
    real_logits, _ = updates.update_discriminator(1, batch, clips.spectrogram[4:8], False, torch.Generator())
    fake = updates.generator(emotion=batch.emotion, noise=batch.noise).spectrogram
    updates.update_generator(1, batch, fake, real_logits, torch.Generator())
    assert all(torch.equal(value, before[name]) for name, value in updates.discriminator.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in updates.discriminator.parameters())


def test_the_accuracy_of_another_loss_raises_no_red_flag(variant):
    assert variant("enhanced").red_flags.cross_entropy
    assert not variant("hinge", "hinge").red_flags.cross_entropy
    assert not variant("rpgan", "rpgan").red_flags.cross_entropy


def test_a_relativistic_run_learns_the_level_of_the_music(variant, clips, gan_training, tmp_path):
    quiet = Clips((clips.spectrogram * 0.3 - 0.6).clamp(-1, 1), clips.emotion)
    config = variant("rpgan").generator.config
    settings = RELATIVISTIC | {"steps": 30, "batch_size": 8, "generator_lr": 4e-3, "discriminator_lr": 4e-3}
    training = gan_training(**settings, ema_decay=0.0, check_every=1000, checkpoint_every=1000)
    run = GanTrainer(config, training, quiet, tmp_path / "quiet")
    before = run.generator.generate(quiet.emotion, seed=0).mean().item()
    run.train()
    after, target = run.generator.generate(quiet.emotion, seed=0).mean().item(), quiet.spectrogram.mean().item()
    assert abs(after - target) < 0.7 * abs(before - target)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "wgan"}, r"expected loss to be one of \('bce', 'hinge', 'rpgan'\), got 'wgan'"),
        ({"penalty": "none"}, "expected penalty to be one of"),
        ({"augmentation": "flip"}, r"expected augmentation to be one of \('none', 'diffaugment', 'roll'\), got 'flip'"),
        ({"augmentation_probability": 1.5}, r"expected augmentation_probability in \[0, 1\], got 1.5"),
        ({"r1_gamma": -1.0}, "expected r1_gamma of at least 0, got -1.0"),
        ({"gamma_decay": 0.0}, r"expected gamma_decay in \(0, 1\], got 0.0"),
        ({"penalty_every": 0}, "expected penalty_every of at least 1, got 0"),
        ({"cycle_weight": 1.0}, "expected the folder of a recogniser for cycle_weight, got None"),
        ({"perceptual_weight": 1.0}, "expected a perceptual_model or a recogniser for perceptual_weight, got None"),
    ],
)
def test_settings_are_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        GanTraining(**changes)


def test_an_exact_penalty_of_a_pretrained_discriminator_is_refused(variant):
    with pytest.raises(ValueError, match="expected penalty 'finite_difference', or none, with a pretrained"):
        variant("projected by AST", loss="rpgan", r1_gamma=1.0)
