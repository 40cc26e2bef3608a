import math
from pathlib import Path

import pytest
import torch

from musemo_hf import MusemoFlowGenerator
from musemo_hf.training.checkpoint import checkpoints, read_state
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.flow.settings import FlowTraining
from musemo_hf.training.flow.trainer import FlowTrainer
from musemo_hf.training.flow_matching import path
from musemo_hf.training.log import read_statistics

CONFIG = {"n_frames": 32, "patch_size": (128, 4), "n_components": 8, "width": 16, "depth": 1, "n_heads": 2}


@pytest.fixture
def trainer(clips, tmp_path):
    def make(folder="run", **changes):
        short = {"steps": 8, "batch_size": 4, "log_every": 1, "checkpoint_every": 3, "warmup_steps": 2}
        return FlowTrainer(CONFIG, FlowTraining(**(short | changes)), clips, tmp_path / folder)

    return make


def test_the_path_starts_at_data_ends_at_noise_and_moves_by_its_velocity():
    data, noise = torch.randn(2, 5, 3, 4).unbind()
    for time in (torch.zeros(5), torch.rand(5), torch.ones(5)):
        latents, velocity = path(data, noise, time)
        left = time[:, None, None]
        torch.testing.assert_close(latents - left * velocity, data)
        torch.testing.assert_close(latents + (1 - left) * velocity, noise)


def test_rolled_clips_keep_their_profile_and_move_their_texture(trainer, clips):
    run = trainer(roll=True)
    chosen = torch.tensor([2, 0, 5])
    still = torch.zeros(3)
    torch.testing.assert_close(run._data(chosen, still, still), run.latents[chosen], atol=1e-4, rtol=1e-4)
    moved = run._data(chosen, torch.full((3,), 0.25), still)  # of 32 frames two patches of four
    model, emotion = run.averaged_model, clips.emotion[chosen]
    (profile, _), (same, _) = model.split(moved), model.split(run.latents[chosen])
    assert torch.equal(profile, same)
    before, after = (model.decode(latents, emotion) for latents in (run.latents[chosen], moved))
    line = model.profile._line(before[:, 0].mean(dim=-1))[:, None]
    apart = [(after - line - (before - line).roll(shift, -1)).square().mean().sqrt() for shift in (8, 0, 4)]
    assert apart[0] < 0.35 * min(apart[1:])
    rolled, plain = (trainer(str(roll), roll=roll).train().network.leave.weight for roll in (True, False))
    assert not torch.equal(rolled, plain)


def test_mixed_profiles_keep_mean_and_covariance_and_are_no_clips(trainer, clips):
    run = trainer(profile_mix=0.6)
    n_clips, split = len(clips), run.averaged_model.split
    # every clip with every other: what a long training sees on the average
    chosen, others = torch.arange(n_clips).repeat_interleave(n_clips), torch.arange(n_clips).repeat(n_clips)
    mixed, texture = split(run._data(chosen, torch.zeros(len(chosen)), (others + 0.5) / n_clips))
    profile, _ = split(run.latents)
    assert torch.equal(texture, split(run.latents[chosen])[1])
    torch.testing.assert_close(mixed.mean(dim=0), profile.mean(dim=0) * (0.8 + 0.6), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(mixed.T.cov(correction=0), profile.T.cov(correction=0), atol=1e-3, rtol=1e-3)
    assert torch.cdist(mixed[others != chosen], profile).amin() > 0.05
    with pytest.raises(ValueError, match=r"expected profile_mix in \[0, 1\), got 1"):
        FlowTraining(profile_mix=1.0)


def test_a_run(trainer, tmp_path, clips):
    made = trainer().train()
    assert isinstance(made, MusemoFlowGenerator)
    lines = read_statistics(tmp_path / "run" / "flow.jsonl")
    assert [line["step"] for line in lines] == list(range(8))
    assert all(math.isfinite(line["loss"]) and line["gradient"] > 0 for line in lines)
    assert [read_state(found)["step"] for found in checkpoints(tmp_path / "run")] == [6, 8]
    assert made.generate(clips.emotion[:2], seed=0, num_inference_steps=2).shape == (2, 1, 128, 32)


def test_it_learns_the_emotion(trainer, clips):
    # in these clips arousal is the level
    made = trainer(steps=120, batch_size=16, lr=1e-2, ema_decay=0.9, checkpoint_every=0).train()
    emotion = torch.tensor([[0.0, 0.9], [0.0, -0.9]]).repeat_interleave(8, dim=0)
    loud, quiet = made.generate(emotion, seed=0, num_inference_steps=8).mean(dim=(1, 2, 3)).chunk(2)
    wanted = 0.4 * 1.8
    assert (loud.mean() - quiet.mean()).item() > 0.5 * wanted


def test_the_rate_warms_up_and_falls(trainer):
    run = trainer(steps=100, warmup_steps=10)
    rates = []
    for step in range(100):
        run.step = step
        rates.append(run._rate())
    assert rates.index(max(rates)) == 9
    assert rates[0] < 0.11
    assert rates[-1] < 0.01
    assert rates[9:] == sorted(rates[9:], reverse=True)


def test_times_and_dropped_emotions(trainer):
    times, dropped = trainer().draw_times(4000, torch.Generator().manual_seed(0))
    assert 0 < times.min() < times.max() < 1
    assert torch.logit(times).mean().item() == pytest.approx(0, abs=0.05)
    assert torch.logit(times).std().item() == pytest.approx(1, abs=0.05)
    assert dropped.float().mean().item() == pytest.approx(0.1, abs=0.02)


def test_clips_of_another_size(clips, tmp_path):
    with pytest.raises(ValueError, match=r"expected spectrogram of shape \(B, 1, 128, 31\)"):
        FlowTrainer(CONFIG | {"n_frames": 31}, FlowTraining(), clips, tmp_path)


def test_few_clips_are_not_rolled(clips, tmp_path):
    with pytest.raises(ValueError, match="expected at least 512 clips to roll textures of, got 40; set roll: false"):
        FlowTrainer({"n_frames": 32, "width": 16, "n_heads": 2}, FlowTraining(roll=True), clips, tmp_path)


def test_the_recommended_values_make_a_flow():
    file = Path(__file__).parents[2] / "training" / "configs" / "flow_10s.yaml"
    configuration = load_configuration(file, ["flow.width=12", "flow.depth=1"])
    training = configuration.flow_training
    assert training.seconds is None  # so that it is the same run on any machine
    assert training.roll
    model = MusemoFlowGenerator(n_frames=431, **configuration.flow)
    assert model.generate([[0.0, 0.0]], seed=0, num_inference_steps=1).shape == (1, 1, 128, 431)
