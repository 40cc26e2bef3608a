"""The kernel head and its statistics, and windows: what they compute, and that they refuse what they cannot."""

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from musemo_hf import MusemoViTForEmotionRegression
from musemo_hf.models.vit.kernel_head import FARTHEST, RIDGE, KernelHead
from musemo_hf.models.vit.texture import _octaves, texture_size, texture_statistics
from musemo_hf.models.vit.windows import covering_windows, random_windows


def music(n=24, n_frames=64, seed=0):
    """Clips whose level and speed of change carry the two values that stand for an emotion."""
    generator = torch.Generator().manual_seed(seed)
    emotion = 2 * torch.rand(n, 2, generator=generator) - 1
    time = torch.arange(n_frames) / n_frames
    swell = torch.sin(2 * torch.pi * (2 + 4 * (emotion[:, 1:] + 1)) * time)[:, None, None]
    noise = 0.05 * torch.randn(n, 1, 128, n_frames, generator=generator)
    return 0.3 * emotion[:, :1, None, None] + 0.2 * swell + noise, emotion


@pytest.mark.parametrize("n_frames", [8, 9, 33, 64, 431])
def test_statistics_have_their_size_and_are_finite(n_frames):
    mel = torch.rand(2, 1, 128, n_frames) * 2 - 1
    for values in (mel, torch.full_like(mel, -1.0), torch.zeros_like(mel)):
        statistics = texture_statistics(values)
        assert statistics.shape == (2, texture_size(n_frames))
        assert torch.isfinite(statistics).all()


def test_statistics_are_differentiable_even_in_silence():
    mel = torch.full((1, 1, 128, 40), -1.0, requires_grad=True)
    texture_statistics(mel).sum().backward()
    assert torch.isfinite(mel.grad).all()


def test_statistics_tell_what_they_say_they_tell():
    still, moving = torch.zeros(1, 1, 128, 128), torch.zeros(1, 1, 128, 128)
    moving[..., ::8] = 1.0  # a click every eighth frame, in all bands
    quiet, clicks = texture_statistics(still)[0], texture_statistics(moving)[0]
    deviations = slice(32, 64)
    assert (clicks[deviations] > quiet[deviations] + 1).all()
    slow = torch.sin(2 * torch.pi * 2 * torch.arange(128) / 128).expand(1, 1, 128, 128)
    fast = torch.sin(2 * torch.pi * 24 * torch.arange(128) / 128).expand(1, 1, 128, 128)
    rates = slice(96, 96 + 4 * 7)  # octaves 1, 2, 4, ..., 64 in 4 groups of bands
    powers = [texture_statistics(wave)[0, rates].view(7, 4).mean(dim=1) for wave in (slow, fast)]
    assert [int(power.argmax()) for power in powers] == [1, 4]  # 2-3 and 16-31 swells a clip


@pytest.mark.parametrize("period", [4, 12, 40])
def test_the_pulse_is_the_autocorrelation_of_onsets(period):
    n_frames, generator = 400, torch.Generator().manual_seed(0)
    clicks, noise = torch.zeros(1, 1, 128, n_frames), torch.rand(1, 1, 128, n_frames, generator=generator) - 0.5
    clicks[..., ::period] = 1.0
    octave = [1, 2, 4, 8, 16, 32, 64].index(1 << (period.bit_length() - 1))  # of lags, from which the period is on
    first = 3 * 32 + len(_octaves(n_frames) * 7) - 7 + 6 + 12 + 8
    pulse = texture_statistics(clicks)[0, first : first + 6]
    onsets = torch.zeros(n_frames - 1)
    onsets[period - 1 :: period] = 50.0
    centred = onsets - onsets.mean()
    expected = (centred[period:] * centred[:-period]).sum() / centred.square().sum()
    assert expected > 0.85
    assert pulse[octave].item() == pytest.approx(expected.item(), abs=0.01)
    assert texture_statistics(noise)[0, first : first + 6].max() < 0.3


def test_the_head_is_kernel_ridge_regression_spread_by_leave_one_out():
    mel, emotion = music()
    head = KernelHead(64, 0)
    head.fit(mel, emotion)
    statistics = ((texture_statistics(mel) - head.mean) / head.scale).clamp(-FARTHEST, FARTHEST).double()
    labels = emotion.double() - emotion.double().mean(dim=0)
    ridge = KernelRidge(alpha=RIDGE, kernel="rbf", gamma=0.5 / statistics.shape[1])
    alone = cross_val_predict(ridge, statistics.numpy(), labels.numpy(), cv=LeaveOneOut())
    spread = labels.std(dim=0).numpy() / alone.std(axis=0, ddof=1)
    expected = ridge.fit(statistics, labels).predict(statistics) * spread + emotion.mean(dim=0).numpy()
    np.testing.assert_allclose(head(mel).numpy(), expected, atol=2e-3)  # the songs are kept in half precision


def test_it_reads_songs_it_was_not_fitted_to():
    head = KernelHead(64, 0)
    head.fit(*music(80))
    mel, emotion = music(40, seed=1)
    assert np.corrcoef(head(mel)[:, 0], emotion[:, 0])[0, 1] > 0.9
    assert np.corrcoef(head(mel)[:, 1], emotion[:, 1])[0, 1] > 0.7


def test_it_refuses_a_single_song():
    with pytest.raises(ValueError, match="at least 2 songs"):
        KernelHead(64, 0).fit(*music(1))


def test_the_prediction_is_a_mean_and_training_is_the_networks_alone(vit_config):
    mel, emotion = music(n_frames=40)
    model = MusemoViTForEmotionRegression(vit_config(kernel_read_out=True, kernel_share=0.25)).eval()
    model.fit_in_closed_form(mel, emotion)
    model.config.kernel_share = 0.0
    network = model(spectrogram=mel).emotion
    model.config.kernel_share = 0.25
    torch.testing.assert_close(model(spectrogram=mel).emotion, 0.75 * network + 0.25 * model.kernel(mel))
    torch.testing.assert_close(model.train()(spectrogram=mel).emotion, network)


def test_it_is_saved_with_the_songs_it_keeps(vit_config, tmp_path):
    mel, emotion = music(n_frames=40)
    model = MusemoViTForEmotionRegression(vit_config(kernel_read_out=True)).eval()
    model.fit_in_closed_form(mel, emotion)
    model.save_pretrained(tmp_path)
    loaded = MusemoViTForEmotionRegression.from_pretrained(tmp_path)
    assert loaded.config.kernel_clips == len(mel)
    torch.testing.assert_close(loaded(spectrogram=mel).emotion, model(spectrogram=mel).emotion)


def test_windows_cover_a_clip_and_come_from_everywhere():
    clip = torch.arange(100.0).expand(3, 1, 2, 100)
    windows = covering_windows(clip, 40)
    assert windows.shape == (3, 3, 1, 2, 40)
    assert set(windows[0].flatten().tolist()) == set(range(100))
    assert covering_windows(clip, 100).shape == (3, 1, 1, 2, 100)
    torch.manual_seed(0)
    starts = {int(window[0, 0, 0]) for _ in range(200) for window in random_windows(clip, 40)}
    assert min(starts) == 0
    assert max(starts) == 60
    assert random_windows(clip, 40).shape == (3, 1, 2, 40)


def test_a_window_as_long_as_the_clip_changes_nothing(vit_config):
    mel, _ = music(4, n_frames=40)
    outputs = []
    for window_frames in (None, 40):
        torch.manual_seed(0)
        model = MusemoViTForEmotionRegression(vit_config(window_frames=window_frames)).eval()
        outputs.append(model(spectrogram=mel).emotion)
    torch.testing.assert_close(*outputs)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window_frames": 41}, "window_frames from 1 to the 40"),
        ({"window_frames": 0}, "window_frames from 1 to the 40"),
        ({"kernel_share": 1.5}, "kernel_share from 0 to 1"),
        ({"kernel_read_out": True, "n_mels": 80}, "multiples of 32"),
        ({"kernel_read_out": True, "n_frames": 7}, "at least 8 frames"),
    ],
)
def test_values_out_of_range_are_refused(vit_config, values, message):
    with pytest.raises(ValueError, match=message):
        vit_config(**values)
