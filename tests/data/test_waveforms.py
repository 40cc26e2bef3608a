"""The audio of prepared songs is what their log-mels were computed from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from musemo_hf import DeamSpectrograms
from musemo_hf.audio.mel import log_mel
from musemo_hf.data.arrays import load_arrays
from musemo_hf.data.deam.waveforms import read_excerpts


@pytest.fixture
def prepared(deam_folder, make_tone, tmp_path):
    """A song with an excerpt in its middle, and one that is so short that its beginning is the excerpt."""
    deam_folder.add(7, np.concatenate([make_tone(30, 300), make_tone(2, 1000)]), suffix=".wav")
    deam_folder.add(9, make_tone(1.2, 3000), suffix=".wav")
    folder = deam_folder.write()
    builder = DeamSpectrograms(tmp_path / "cache", "excerpt_10s", data_dir=folder, n_frames=44)
    builder.download_and_prepare()
    return load_arrays(builder.as_dataset("train")), folder


def test_audio_and_log_mel_are_of_the_same_seconds(prepared):
    songs, folder = prepared
    waveforms = list(read_excerpts(songs, folder, "excerpt_10s"))
    assert {len(samples) for samples in waveforms} == {22050}
    for samples, decibels in zip(waveforms, songs.spectrogram, strict=True):
        found = log_mel(torch.from_numpy(samples))[:, :44].numpy()
        np.testing.assert_allclose(found, decibels, atol=1e-3)
    assert np.abs(np.fft.rfft(waveforms[0])).argmax() == 1000
    assert np.abs(np.fft.rfft(waveforms[1])).argmax() == 3000


def test_songs_without_audio_are_refused(prepared, tmp_path):
    songs, folder = prepared
    missing = replace(songs, song_id=np.array([7, 8], dtype=np.int32))
    with pytest.raises(ValueError, match="expected the audio of all songs, found none of 8"):
        list(read_excerpts(missing, folder, "excerpt_10s"))
    with pytest.raises(ValueError, match=r"expected config_name to be one of excerpt_30s, .*got 'whole'"):
        list(read_excerpts(songs, folder, "whole"))
    (tmp_path / "songs.safetensors").write_bytes(b"a pack")
    with pytest.raises(ValueError, match=r"expected a folder of DEAM with the audio of its songs, got .*safetensors"):
        list(read_excerpts(songs, tmp_path / "songs.safetensors", "excerpt_10s"))
