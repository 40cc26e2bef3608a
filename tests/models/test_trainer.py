"""transformers' Trainer on the recogniser: evaluation, the best checkpoint, and resuming."""

import evaluate
import pytest
import torch
from safetensors.torch import load_file
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from musemo_hf import MusemoViTForEmotionRegression, metric_path


def songs(n, seed):
    """Clips whose level is the arousal and whose tilt over the bands is the valence, as `Trainer` takes them."""
    generator = torch.Generator().manual_seed(seed)
    emotion = 2 * torch.rand(n, 2, generator=generator) - 1
    tilt = torch.linspace(-1, 1, 128)[:, None]
    mel = 0.4 * emotion[:, 1, None, None, None] + 0.4 * emotion[:, 0, None, None, None] * tilt
    mel = mel + 0.05 * torch.randn(n, 1, 128, 40, generator=generator)
    return [
        {"spectrogram": clip, "labels": label, "emotion_deviation": torch.full((2,), 0.2)}
        for clip, label in zip(mel, emotion, strict=True)
    ]


def concordance(prediction):
    """The CCC metric, on what `Trainer` collects."""
    emotion = prediction.predictions[0] if isinstance(prediction.predictions, tuple) else prediction.predictions
    metric = evaluate.load(metric_path("concordance_correlation"))
    scores = metric.compute(predictions=emotion, references=prediction.label_ids)
    return {name: value for name, value in scores.items() if isinstance(value, float)}


@pytest.fixture
def trainer(vit_config, tmp_path):
    """`trainer(folder, uncertainty, **arguments)`: 12 steps, evaluated and saved every four."""

    def make(folder, uncertainty=False, **changes):
        torch.manual_seed(0)
        model = MusemoViTForEmotionRegression(vit_config(uncertainty=uncertainty))
        arguments = {"max_steps": 12, "eval_steps": 4, "save_steps": 4, "eval_strategy": "steps", "seed": 0}
        arguments |= {"per_device_train_batch_size": 8, "per_device_eval_batch_size": 8, "learning_rate": 3e-3}
        arguments |= {"use_cpu": True, "report_to": "none", "disable_tqdm": True, "logging_steps": 4}
        training = TrainingArguments(str(tmp_path / folder), **(arguments | changes))
        return Trainer(
            model, training, train_dataset=songs(32, 0), eval_dataset=songs(16, 1), compute_metrics=concordance
        )

    return make


def weights(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def assert_same_weights(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], atol=1e-6, rtol=1e-5, msg=name)


@pytest.mark.parametrize("uncertainty", [False, True])
def test_trainer_evaluates_with_the_concordance_metric(trainer, uncertainty):
    run = trainer("run", uncertainty)
    assert run.label_names == ["labels"]
    before = run.evaluate()
    run.train()
    after = run.evaluate()
    scores = {name for name in after if "ccc" in name}
    assert {"eval_loss"} < after.keys()
    assert scores
    assert after["eval_loss"] < before["eval_loss"]
    assert run.predict(run.eval_dataset).metrics["test_loss"] == pytest.approx(after["eval_loss"])


def test_trainer_returns_to_the_best_checkpoint(trainer):
    """The best is not the last here: its weights are those that are then in the model."""
    best = {"load_best_model_at_end": True, "metric_for_best_model": "loss", "greater_is_better": True}
    run = trainer("run", **best)
    run.train()
    folder = run.state.best_model_checkpoint
    assert folder != get_last_checkpoint(run.args.output_dir)
    assert_same_weights(weights(run.model), weights(MusemoViTForEmotionRegression.from_pretrained(folder)))


def test_trainer_resumes(trainer):
    whole, interrupted = trainer("whole"), trainer("interrupted", max_steps=8, lr_scheduler_type="constant")
    whole.args.lr_scheduler_type = "constant"
    whole.train()
    interrupted.train()
    resumed = trainer("interrupted", lr_scheduler_type="constant")
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == 12
    assert_same_weights(weights(resumed.model), weights(whole.model))


def test_trainer_resumes_from_weights_with_the_names_of_files(trainer):
    run = trainer("run", max_steps=4)
    run.train()
    folder = get_last_checkpoint(run.args.output_dir)
    assert load_file(f"{folder}/model.safetensors").keys() != run.model.state_dict().keys()
    resumed = trainer("other", max_steps=4)
    resumed.train(resume_from_checkpoint=folder)  # no step is left, so that these are the loaded weights
    assert_same_weights(weights(resumed.model), weights(run.model))


def test_the_former_name_of_the_deviation_is_taken(vit_config):
    torch.manual_seed(0)
    model = MusemoViTForEmotionRegression(vit_config(uncertainty=True)).eval()
    batch = {name: torch.stack([song[name] for song in songs(4, 0)]) for name in ("spectrogram", "labels")}
    spread = torch.full((4, 2), 0.3)
    with pytest.warns(FutureWarning, match="emotion_deviation"):
        former = model(**batch, label_deviation=spread).loss
    assert former == model(**batch, emotion_deviation=spread).loss
    assert former != model(**batch).loss
