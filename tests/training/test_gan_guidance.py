import pytest
import torch

from musemo_hf import MusemoGanConfig, MusemoViTForEmotionRegression
from musemo_hf.training.gan.auxiliary_losses import Guidance, statistics_distance
from musemo_hf.training.gan.settings import GanTraining


@pytest.fixture(scope="module")
def recogniser(vit_config, tmp_path_factory):
    torch.manual_seed(0)
    model = MusemoViTForEmotionRegression(vit_config)
    folder = tmp_path_factory.mktemp("recogniser")
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def guidance(recogniser, gan_config):
    return Guidance(GanTraining(recogniser=recogniser, cycle_weight=1.0, perceptual_weight=1.0), gan_config)


def test_the_gradient_reaches_the_spectrogram_and_no_weight(guidance, clips):
    fake = clips.spectrogram[:4].clone().requires_grad_()
    losses = guidance(fake, clips.spectrogram[4:8], clips.emotion[:4])
    assert losses.keys() == {"cycle", "perceptual"}
    for loss in losses.values():
        (gradient,) = torch.autograd.grad(loss, fake, retain_graph=True)
        assert gradient.abs().sum() > 0
    sum(losses.values()).backward()
    assert all(p.grad is None and not p.requires_grad for p in guidance.parameters())


def test_cycle_is_the_squared_error_of_the_recognised_emotion(guidance, recogniser, clips):
    model = MusemoViTForEmotionRegression.from_pretrained(recogniser).eval()
    with torch.no_grad():
        heard = model(spectrogram=clips.spectrogram[:4]).emotion
        losses = guidance(clips.spectrogram[:4], clips.spectrogram[4:8], clips.emotion[:4])
    assert losses["cycle"].item() == pytest.approx((heard - clips.emotion[:4]).square().mean().item(), rel=1e-5)


def test_the_same_music_is_at_no_distance(guidance, clips):
    order = torch.tensor([3, 1, 0, 2])
    same = guidance(clips.spectrogram[:4][order], clips.spectrogram[:4], clips.emotion[:4])["perceptual"]
    other = guidance(-clips.spectrogram[:4], clips.spectrogram[:4], clips.emotion[:4])["perceptual"]
    assert same.item() == pytest.approx(0, abs=1e-4)
    assert other.item() > 0.05


def test_distance_by_hand():
    wanted = [torch.tensor([[[0.0], [2.0]]])]  # mean 1, deviation sqrt(2)
    made = [torch.tensor([[[3.0], [3.0]]])]  # mean 3, deviation 0
    assert statistics_distance(made, wanted).item() == pytest.approx((2 + 2**0.5) / 2**0.5, rel=1e-4)


def test_it_stays_in_eval_mode(guidance, clips):
    guidance.train()
    with torch.no_grad():  # the recogniser of these tests has dropout
        first, second = (guidance.features(clips.spectrogram[:2]) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_without_weights_nothing_is_loaded(gan_config, clips):
    guidance = Guidance(GanTraining(recogniser="/nowhere"), gan_config)
    assert guidance(clips.spectrogram[:2], clips.spectrogram[:2], clips.emotion[:2]) == {}


def test_folders_are_checked(recogniser, gan_config):
    with pytest.raises(FileNotFoundError, match="expected the folder of a pretrained model, found none at /nowhere"):
        Guidance(GanTraining(recogniser="/nowhere", cycle_weight=1.0), gan_config)
    longer = MusemoGanConfig(n_frames=48, generator_channels=16, group_norm_groups=2)
    for weight in ("cycle_weight", "perceptual_weight"):
        with pytest.raises(
            ValueError, match=r"expected a recogniser of spectrograms \(128, 48\), got one of \(128, 32\)"
        ):
            Guidance(GanTraining(recogniser=recogniser, **{weight: 1.0}), longer)
