import math

import pytest
import torch

from musemo_hf import MusemoViTForEmotionRegression
from musemo_hf.training.clips import Clips
from musemo_hf.training.log import read_statistics
from musemo_hf.training.recogniser.augmentation import AUGMENTATIONS
from musemo_hf.training.recogniser.prediction import predict
from musemo_hf.training.recogniser.trainer import RecogniserTrainer


@pytest.fixture
def trainer(vit_config, recogniser_training, clips, tmp_path):
    def make(folder="run", **changes):
        run_dir = None if folder is None else tmp_path / folder
        return RecogniserTrainer(vit_config, recogniser_training(**changes), clips, run_dir)

    return make


@pytest.mark.parametrize("augmentation", sorted(AUGMENTATIONS))
def test_a_run_of_every_augmentation(trainer, tmp_path, augmentation):
    model = trainer(steps=2, augmentation=augmentation).train()
    assert isinstance(model, MusemoViTForEmotionRegression)
    lines = read_statistics(tmp_path / "run" / "recogniser.jsonl")
    assert [line["step"] for line in lines] == [0, 1]
    assert all(math.isfinite(line["loss"]) and line["gradient"] > 0 for line in lines)


def test_it_learns_and_predict_reads_it(trainer, clips):
    run = trainer(None, steps=150, batch_size=16, lr=5e-3, ema_decay=0.9)
    before = predict(run.model, clips.spectrogram)
    after = predict(run.train(), clips.spectrogram, batch_size=7)
    assert after.shape == (40, 2)
    assert after.dtype == torch.float32
    error = [(predicted - clips.emotion).square().mean().item() for predicted in (before, after)]
    assert error[1] < 0.3 * error[0]


def test_predict_does_not_depend_on_its_batches_nor_keep_dropout(trainer, clips):
    model = trainer(None).model.train()
    first, second = predict(model, clips.spectrogram, batch_size=40), predict(model, clips.spectrogram, batch_size=3)
    torch.testing.assert_close(first, second)


def test_other_labels_give_other_weights_and_only_the_clips_handed_over_matter(
    vit_config, recogniser_training, clips, trainer, state
):
    base = trainer(None)
    base.train()
    flipped = RecogniserTrainer(vit_config, recogniser_training(), Clips(clips.spectrogram, -clips.emotion))
    flipped.train()
    ours, theirs = (state(run, "recogniser") for run in (base, flipped))
    assert any(not torch.equal(value, theirs[name]) for name, value in ours.items())


def test_the_rate_warms_up_and_falls_to_nothing(trainer):
    run = trainer(None, steps=20, warmup=0.25, lr=1e-2)
    rates = []
    step = run.schedule.step

    def record():
        rates.append(run.optimizer.param_groups[0]["lr"])
        step()

    run.schedule.step = record
    run.train()
    assert rates[0] == 0
    assert max(rates) == pytest.approx(1e-2)
    assert rates.index(max(rates)) == 5
    assert rates[-1] < 1e-3


def test_without_an_average_the_model_itself_is_returned(trainer):
    run = trainer(None, ema_decay=0.0)
    averaged = run.train()
    assert all(torch.equal(averaged.state_dict()[k], v) for k, v in run.model.state_dict().items())


def test_epochs_give_the_steps(trainer):
    assert trainer(None, epochs=3).steps == 15  # 40 clips in batches of 8


def test_an_unknown_augmentation(trainer):
    with pytest.raises(ValueError, match=r"expected augmentation to be one of .*, got 'cutmix'"):
        trainer(augmentation="cutmix")
