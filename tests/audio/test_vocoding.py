"""Audio of a vocoder: its length, its level, and long songs in blocks."""

import numpy as np
import pytest
import torch
from bigvgan import BigVGAN
from bigvgan.env import AttrDict

from musemo_hf import MusemoFeatureExtractor, MusemoVocoder
from musemo_hf.audio.mel import MelSettings, log_mel
from musemo_hf.audio.vocoder_grid import grid_of
from musemo_hf.audio.vocoding import loudest_frame, reach_in_frames, vocode

SIZES = {
    "musemo": (128, 22050, (8, 8, 4, 2)),
    "audioldm": (64, 16000, (5, 4, 2, 2, 2)),
    "hifi-gan": (80, 22050, (8, 8, 2, 2)),
}
OWN = {"own": 0, "own, refined": 2}  # iterations of the refinement
BIGVGAN = {"sampling_rate": 44100, "num_mels": 128, "hop_size": 512, "n_fft": 2048, "fmin": 0, "fmax": None}
BIGVGAN |= {"upsample_rates": [8, 4, 4, 4], "upsample_kernel_sizes": [16, 8, 8, 8], "upsample_initial_channel": 16}
BIGVGAN |= {"resblock": "1", "resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 3], [1, 3]]}
BIGVGAN |= {"activation": "snakebeta", "snake_logscale": True, "use_tanh_at_final": False}


@pytest.fixture(scope="module")
def make_vocoder(tiny_vocoder):
    def make(name):
        if name == "bigvgan":
            torch.manual_seed(0)
            return BigVGAN(AttrDict(BIGVGAN)).eval()
        if name in OWN:
            torch.manual_seed(0)
            vocoder = MusemoVocoder(16, 2, 2, refinement=OWN[name]).eval()
            torch.nn.init.normal_(vocoder.to_magnitude.weight, std=0.1)
            return vocoder
        changes = {"upsample_kernel_sizes": [16, 8, 4, 4, 4]} if name == "audioldm" else {}
        return tiny_vocoder(*SIZES[name], **changes)

    return make


@pytest.fixture(scope="module")
def song(music):
    """Two clips of two seconds, as log-mels in dB."""
    return log_mel(torch.from_numpy(np.stack([music(2), music(2, seed=1)])))


@pytest.mark.parametrize("name", [*SIZES, *OWN, "bigvgan"])
def test_blocks_are_equal_to_the_whole(make_vocoder, song, name):
    vocoder = make_vocoder(name)
    whole = vocode(song, vocoder)
    assert whole.shape == (2, 44100)
    assert whole.dtype == torch.float32
    assert whole.std() > 1e-4
    in_blocks = vocode(song, vocoder, block=29)
    assert (whole - in_blocks).abs().max() <= 1e-4 * whole.abs().max()


@pytest.mark.parametrize("name", [*SIZES, "own", "bigvgan"])
def test_the_reach_is_that_of_the_network(make_vocoder, name):
    """A change of one frame is heard within the reach and nowhere else, and the reach is no more than twice as far."""
    vocoder = make_vocoder(name).double()  # a small change at the edge is lost in the rounding of floats
    grid = grid_of(vocoder)
    before = torch.randn(1, grid.n_mels, 201, generator=torch.Generator().manual_seed(0)).double()
    after = before.clone()
    after[..., 100] += 1
    arranged = (lambda mel: mel) if name == "bigvgan" else (lambda mel: mel.transpose(1, 2))
    with torch.no_grad():
        changed = (vocoder(arranged(before)) - vocoder(arranged(after))).flatten().abs() > 1e-12
    frames = changed.nonzero().flatten() / grid.hop_length
    heard = max(100 - frames.min().item(), frames.max().item() - 101)
    assert heard <= reach_in_frames(vocoder) <= 2 * heard + 2


def test_the_refinement_brings_audio_nearer_to_the_log_mel(make_vocoder, song):
    errors = []
    for n_iter in (0, 2, 8):
        vocoder = make_vocoder("own")
        vocoder.register_to_config(refinement=n_iter)
        errors.append((log_mel(vocode(song, vocoder)).clamp_min(-60) - song.clamp_min(-60)).abs().mean().item())
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.5 * errors[0]


def test_memory_does_not_grow_with_the_song(make_vocoder):
    """The network never sees more than a block and what is around it."""
    vocoder, seen = make_vocoder("musemo"), []
    vocoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    song = torch.full((1, 128, 1292), -30.0)
    assert vocode(song, vocoder, block=64).shape == (1, MelSettings().n_samples(1292))
    assert len(seen) == 21
    assert max(seen) <= 64 + 2 * reach_in_frames(vocoder)


def test_a_vocoder_of_our_grid_takes_normalised_log_mels(make_vocoder, song):
    vocoder = make_vocoder("musemo")
    quiet = song - 40  # so that nothing is turned down
    expected = vocoder(((quiet.clamp(-60, 40) + 10) / 50).transpose(1, 2)).detach()
    torch.testing.assert_close(vocode(quiet, vocoder), expected[:, :44100], atol=1e-5, rtol=1e-4)


def test_the_loudest_frame_of_a_tone_and_of_noise():
    time = torch.arange(44100) / 22050
    tone = torch.sin(2 * torch.pi * 440 * time)
    noise = 0.1 * torch.randn(44100, generator=torch.Generator().manual_seed(0))
    found = loudest_frame(log_mel(torch.stack([tone, 0.1 * tone, noise])), MelSettings())
    np.testing.assert_allclose(found, [-3.0, -23.0, -19.5], atol=0.5)


def test_a_song_beyond_full_scale_keeps_its_level(make_vocoder, song):
    """20 dB more in the log-mel are 20 dB more in the audio, though the network itself ends at full scale."""
    vocoder = make_vocoder("musemo")
    loud = song + (-12 - loudest_frame(song, MelSettings()))[:, None, None]
    torch.testing.assert_close(vocode(loud + 20, vocoder), 10 * vocode(loud, vocoder), rtol=1e-3, atol=1e-4)


def test_each_clip_is_played_as_alone(make_vocoder, song):
    vocoder = make_vocoder("audioldm")
    together = vocode(song, vocoder)
    torch.testing.assert_close(vocode(song[1:], vocoder)[0], together[1], atol=1e-4, rtol=0)


def test_the_feature_extractor_plays_by_a_vocoder(make_vocoder, song):
    extractor, vocoder = MusemoFeatureExtractor(n_frames=87), make_vocoder("hifi-gan")
    spectrogram = extractor.from_decibels(song)[:, None]
    audio = extractor.invert(spectrogram, vocoder=vocoder)
    torch.testing.assert_close(audio, vocode(song.clamp(-60, 40), vocoder), atol=1e-4, rtol=1e-3)
    assert audio.shape == extractor.invert(spectrogram, n_iter=1).shape


@pytest.mark.parametrize(
    ("spectrogram", "message"),
    [
        (torch.full((1, 1, 128, 9), float("nan")), "expected a finite spectrogram, got NaN or infinity"),
        (torch.zeros(1, 1, 64, 9), r"expected \(B, 1, 128, n_frames\), got \(1, 1, 64, 9\)"),
        (torch.zeros(1, 1, 128, 0), r"expected \(B, 1, 128, n_frames\), got \(1, 1, 128, 0\)"),
        (torch.full((1, 128, 9), -30.0), "expected a normalised log-mel in"),
    ],
)
def test_a_bad_spectrogram_is_refused_before_the_vocoder(make_vocoder, spectrogram, message):
    with pytest.raises(ValueError, match=message):
        MusemoFeatureExtractor().invert(spectrogram, vocoder=make_vocoder("musemo"))


def test_a_vocoder_without_a_grid_is_refused(tiny_vocoder):
    with pytest.raises(ValueError, match="expected a vocoder of a known grid, got 96 bands"):
        MusemoFeatureExtractor().invert(torch.zeros(1, 128, 9), vocoder=tiny_vocoder(96, 22050, (8, 8, 4)))
    with pytest.raises(TypeError, match="expected a vocoder such as SpeechT5HifiGan, got str"):
        MusemoFeatureExtractor().invert(torch.zeros(1, 128, 9), vocoder="hifi-gan")


def test_a_vocoder_that_plays_no_numbers_is_refused(make_vocoder, song):
    vocoder = make_vocoder("musemo")
    with torch.no_grad():
        vocoder.conv_post.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="expected finite audio of the vocoder, got NaN or infinity"):
        vocode(song, vocoder)
