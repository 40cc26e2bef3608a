import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from musemo_hf import MusemoGanGenerator
from musemo_hf.training.checkpoint import checkpoints, read_state
from musemo_hf.training.clips import Clips
from musemo_hf.training.gan.step import Batch
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.log import read_statistics
from musemo_hf.training.loop import RedFlagError


@pytest.fixture
def trainer(gan_config, gan_training, clips, tmp_path):
    def make(folder="run", **changes):
        return GanTrainer(gan_config, gan_training(**changes), clips, tmp_path / folder)

    return make


def test_a_run_writes_statistics_and_checkpoints(trainer, state, tmp_path):
    run = trainer()
    networks = ("generator", "discriminator", "averaged_generator")
    before = state(run, *networks)
    model = run.train()
    assert isinstance(model, MusemoGanGenerator)
    lines = read_statistics(tmp_path / "run" / "gan.jsonl")
    assert [line["step"] for line in lines] == list(range(8))
    for line in lines:
        assert 0 <= line["accuracy"] <= 1
        assert all(math.isfinite(value) for value in line.values())
    assert [line["step"] for line in lines if "kid" in line] == [3, 7]
    assert [read_state(path)["step"] for path in checkpoints(tmp_path / "run")] == [6, 8]
    saved = MusemoGanGenerator.from_pretrained(checkpoints(tmp_path / "run")[-1] / "averaged_generator")
    assert all(torch.equal(saved.state_dict()[name], value) for name, value in model.state_dict().items())
    changed = [name for name, value in state(run, *networks).items() if not torch.equal(value, before[name])]
    assert {name.split(".")[0] for name in changed} == set(networks)


def test_epochs_give_the_steps(trainer):
    assert trainer(epochs=2.5).steps == 25  # 40 clips in batches of 4
    assert trainer(epochs=0.01).steps == 1


def test_the_loss_is_smoothed_cross_entropy(trainer, clips):
    run = trainer(instance_noise=0.0)
    real, noise = clips[torch.arange(4)], torch.randn(4, 100)
    with torch.no_grad():  # spectral norm moves with every forward in training mode
        run.discriminator.eval()
        fake = run.generator(emotion=real.emotion, noise=noise).spectrogram
        on_real = run.discriminator(spectrogram=real.spectrogram, emotion=real.emotion).logits
        on_fake = run.discriminator(spectrogram=fake, emotion=real.emotion).logits
    batch = Batch(real.spectrogram, real.emotion, noise)
    _, values = run.updates.update_discriminator(0, batch, fake, False, torch.Generator())
    expected = -(0.9 * functional.logsigmoid(on_real) + 0.1 * functional.logsigmoid(-on_real)).mean()
    expected -= functional.logsigmoid(-on_fake).mean()
    assert values["discriminator_loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    accuracy = torch.cat([on_real > 0, on_fake < 0]).float().mean().item()
    assert values["accuracy"].item() == pytest.approx(accuracy)
    assert "discriminator_gradient" not in values


def test_instance_noise_decays_to_nothing(trainer):
    run = trainer(steps=100, instance_noise=0.4)
    flat = torch.zeros(1, 1, 128, 32)
    deviations = []
    for step in (0, 25, 50, 99):
        deviations.append(run.updates.seen(flat, step, torch.Generator()).std().item())
    assert deviations[:2] == pytest.approx([0.4, 0.2], rel=0.1)
    assert deviations[2:] == [0, 0]


def test_gradients_are_clipped(trainer):
    run = trainer(steps=1, gradient_norm=1e-3)
    norms = []

    def record(step):
        def stepped(*arguments, **keywords):
            parameters = run.generator.parameters()
            norms.append(torch.stack([p.grad.norm() for p in parameters]).norm().item())
            return step(*arguments, **keywords)

        return stepped

    run.updates.optimizers["generator"].step = record(run.updates.optimizers["generator"].step)
    run.train()
    assert norms == [pytest.approx(1e-3, rel=0.01)]


def test_balance_lets_one_network_wait(trainer, tmp_path):
    trainer(steps=6, balance_window=1, accuracy_band=(0.0, 1e-6), check_every=100).train()  # it always wins
    lines = read_statistics(tmp_path / "run" / "gan.jsonl")
    assert lines[-1]["discriminator_every"] > 1
    assert any("discriminator_gradient" not in line for line in lines)
    trainer("plain", steps=6, balance=False).train()
    lines = read_statistics(tmp_path / "plain" / "gan.jsonl")
    assert all("discriminator_gradient" in line and "generator_gradient" in line for line in lines)


def test_the_average_follows_the_generator(trainer):
    run = trainer(steps=3, ema_decay=0.5, checkpoint_every=100, check_every=100)
    seen, update = [], run.average.update_parameters

    def record(model):
        update(model)
        seen.append(model.to_mel.weight.detach().clone())

    run.average.update_parameters = record
    run.train()
    expected = seen[0]
    for weight in seen[1:]:
        expected = 0.5 * expected + 0.5 * weight
    torch.testing.assert_close(run.averaged_model.to_mel.weight, expected)


def test_collapse_stops_the_run_and_keeps_the_last_good_checkpoint(trainer, tmp_path):
    run = trainer(steps=20, check_every=4, checkpoint_every=4)
    iterate = run.update

    def collapse_at_six():
        if run.step == 6:  # the generator forgets noise and emotion
            with torch.no_grad():
                for model in (run.generator, run.averaged_model):
                    model.to_mel.weight.zero_()
        return iterate()

    run.update = collapse_at_six
    with pytest.raises(RedFlagError, match=r"red flag at step 8: mode collapse: .*checkpoint-00000004"):
        run.train()
    assert [read_state(path)["step"] for path in checkpoints(tmp_path / "run")] == [4]
    kept = MusemoGanGenerator.from_pretrained(checkpoints(tmp_path / "run")[0] / "averaged_generator")
    assert kept.to_mel.weight.abs().sum() > 0


def test_a_batch_larger_than_the_set(trainer, tmp_path):
    trainer(steps=2, batch_size=50).train()
    assert len(read_statistics(tmp_path / "run" / "gan.jsonl")) == 2


def test_one_song_is_refused(gan_config, gan_training, clips, tmp_path):
    with pytest.raises(ValueError, match="expected at least two different real clips"):
        GanTrainer(gan_config, gan_training(), clips[torch.tensor([0])], tmp_path)


def test_it_learns_the_level_of_the_music(gan_config, gan_training, clips, tmp_path):
    """Thirty iterations are enough to move the mean level towards that of quiet clips."""
    quiet = Clips((clips.spectrogram * 0.3 - 0.6).clamp(-1, 1), clips.emotion)
    training = gan_training(steps=30, batch_size=8, generator_lr=4e-3, discriminator_lr=4e-3, ema_decay=0.0)
    training.check_every = training.checkpoint_every = 1000
    run = GanTrainer(gan_config, training, quiet, tmp_path)
    before = run.generator.generate(quiet.emotion, seed=0).mean().item()
    run.train()
    after = run.generator.generate(quiet.emotion, seed=0).mean().item()
    target = quiet.spectrogram.mean().item()
    assert np.isfinite(after)
    assert abs(after - target) < 0.7 * abs(before - target)
