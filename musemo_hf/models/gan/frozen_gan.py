"""Hidden states of a frozen pretrained model, for a discriminator and for a perceptual loss."""

import math
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel
from transformers.audio_utils import hertz_to_mel, mel_filter_bank, mel_to_hertz
from transformers.utils.output_capturing import maybe_install_capturing_hooks

from .waveform_gan import DB_CENTRE, DB_SCALE, HOP, RATE, WINDOW, as_waveform

PADDING = -1.0  # -60 dB on the normalised scale
OF_SPECTROGRAMS, OF_WAVEFORMS = ("audio-spectrogram-transformer", "musemo_vit"), ("wav2vec2", "hubert", "wavlm")
# Kaldi's, as an Audio Spectrogram Transformer has it: 16 kHz, 10 ms, 25 ms, bins of a transform of 512, 20 Hz to 8 kHz
AST_RATE, AST_HOP, AST_WINDOW, AST_FFT, AST_LOW = 16000, 160, 400, 512, 20.0
AST_MEAN, AST_STD, AST_FLOOR = -4.2677393, 4.5689974, 1.192092955078125e-07


def pretrained_config(folder: str) -> dict[str, Any]:
    """Return the configuration of a pretrained model as plain data.

    Args:
        folder: The folder of the model, or its name on the Hub.

    Raises:
        ValueError: The model is of another kind than the known ones.
    """
    config = AutoConfig.from_pretrained(folder)
    if config.model_type not in OF_SPECTROGRAMS + OF_WAVEFORMS:
        raise ValueError(
            f"expected a pretrained model of spectrograms ({', '.join(OF_SPECTROGRAMS)}) or of waveforms "
            f"({', '.join(OF_WAVEFORMS)}), got {config.model_type!r} in {folder}"
        )
    return config.to_dict()


class FrozenFeatures(nn.Module):
    """Computes hidden states of a pretrained model; the gradient reaches the spectrogram and no weight.

    Args:
        config: The answer of `pretrained_config`.
        n_mels: The number of mel bands of the spectrograms.
        n_frames: The number of frames of the spectrograms.

    Raises:
        ValueError: The model is our recogniser, for spectrograms of another size or for windows of them.
    """

    def __init__(self, config: dict[str, Any], n_mels: int, n_frames: int) -> None:
        super().__init__()
        self.kind = config["model_type"]
        made = AutoConfig.for_model(**config)
        if self.kind == "musemo_vit" and (made.n_mels, made.n_frames) != (n_mels, n_frames):
            raise ValueError(
                f"expected a recogniser of spectrograms {(n_mels, n_frames)}, got one of {(made.n_mels, made.n_frames)}"
            )
        if self.kind == "musemo_vit" and made.window_frames not in (None, n_frames):
            raise ValueError(
                f"expected a recogniser that reads whole spectrograms of {n_frames} frames, got one that reads windows "
                f"of {made.window_frames} (window_frames)"
            )
        self.model = AutoModel.from_config(
            made, dtype=torch.get_default_dtype()
        )  # that of the whole model, where it is loaded
        maybe_install_capturing_hooks(self.model.base_model)  # of hidden states; torch.compile cannot trace it
        self.dim, n_layers = made.hidden_size, made.num_hidden_layers
        # at most three layers, evenly spread, the last among them
        self.layers = sorted({max(1, round(n_layers * share / 3)) - 1 for share in (1, 2, 3)})
        self.requires_grad_(False)
        self.eval()

    def load(self, folder: str) -> None:
        """Load the weights of a folder or Hub repository."""
        loaded = AutoModel.from_pretrained(folder)
        self.model.load_state_dict(loaded.state_dict())
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> "FrozenFeatures":
        """Keep evaluation mode, whatever is asked for."""
        return super().train(False)

    def forward(self, spectrogram: Tensor) -> list[Tensor]:
        """Return the tokens `(B, T, dim)` of each of `layers` for normalised log-mels `(B, 1, n_mels, n_frames)`."""
        if self.kind in OF_WAVEFORMS:
            inputs = as_waveform(spectrogram).to(self.model.dtype)
        else:
            inputs = spectrogram if self.kind == "musemo_vit" else as_filter_banks(spectrogram, self.model.config)
        hidden = self.model(inputs, output_hidden_states=True).hidden_states
        return [hidden[layer + 1] for layer in self.layers]  # the first is the input of the first layer


def as_filter_banks(spectrogram: Tensor, config: Any) -> Tensor:
    """Convert our log-mels, differentiably, to the filter banks that an Audio Spectrogram Transformer takes.

    Kaldi's filter banks have other band centres, another hop, natural logarithms, windows of 25 ms and a pre-emphasis.
    Centres and hop are interpolated, the level of each band is corrected by its response to white noise, and the result
    is normalised as in `ASTFeatureExtractor`. Fine structure that only windows of 25 ms resolve is missing.

    Args:
        spectrogram: The normalised log-mels `(B, 1, n_mels, n_frames)`.
        config: The configuration of the transformer, with `max_length` frames and `num_mel_bins` bands.

    Returns:
        The filter banks `(B, max_length, num_mel_bins)`.
    """
    power = (spectrogram[:, 0] * DB_SCALE + DB_CENTRE) * (math.log(10) / 10)
    weights, level = _band_map(spectrogram.shape[-2], config.num_mel_bins)
    banks = torch.einsum("kf,bft->bkt", weights.to(power), power)
    banks = banks + level.to(power)[None, :, None]
    length = min(config.max_length, round(spectrogram.shape[-1] * HOP / RATE * AST_RATE / AST_HOP))
    source = length * (AST_HOP / AST_RATE) / (HOP / RATE)  # our frames in that time
    banks = functional.interpolate(banks[..., : math.ceil(source)], size=length, mode="linear")
    banks = (banks - AST_MEAN) / (2 * AST_STD)
    # the feature extractor pads with zeros before it normalises
    return functional.pad(banks, (0, config.max_length - length), value=-AST_MEAN / (2 * AST_STD)).transpose(1, 2)


@lru_cache(maxsize=4)
def _band_map(n_mels: int, n_bins: int) -> tuple[Tensor, Tensor]:
    """Return the interpolation between band centres `(n_bins, n_mels)`, and a correction of each bin's logarithm."""
    ours = torch.from_numpy(_centres(0.0, RATE / 2, n_mels, "slaney"))
    centres = torch.from_numpy(_centres(AST_LOW, AST_RATE / 2, n_bins, "kaldi"))
    upper = torch.searchsorted(ours, centres).clamp(1, n_mels - 1)
    share = ((centres - ours[upper - 1]) / (ours[upper] - ours[upper - 1])).clamp(0, 1)
    weights = torch.zeros(n_bins, n_mels, dtype=share.dtype)
    weights.scatter_(1, upper[:, None] - 1, (1 - share)[:, None]).scatter_(1, upper[:, None], share[:, None])
    with warnings.catch_warnings():  # the lowest filters may lie between two bins, as they do in the original
        warnings.simplefilter("ignore", UserWarning)
        shape = (AST_FFT // 2 + 1, n_bins, AST_LOW, AST_RATE / 2, AST_RATE, None, "kaldi")
        filters = torch.from_numpy(mel_filter_bank(*shape, triangularize_in_mel_space=True))
    angles = torch.arange(AST_FFT // 2 + 1) * (2 * math.pi / AST_FFT)
    emphasis = 1 + 0.97**2 - 2 * 0.97 * torch.cos(angles)
    # white noise: the energy of a Hann window (3/8 of its length) times the sum of the filter over bins
    theirs = 0.375 * AST_WINDOW * (emphasis.to(filters) @ filters)
    mine = 0.375 * WINDOW / (RATE / WINDOW)  # Slaney's filters have unit area in Hz
    empty = theirs <= 0
    weights[empty] = 0
    return weights, torch.where(empty, math.log(AST_FLOOR), (theirs / mine).log())


def _centres(low: float, high: float, n_bands: int, scale: str) -> np.ndarray:
    ends = hertz_to_mel(np.array([low, high]), mel_scale=scale)
    return mel_to_hertz(np.linspace(ends[0], ends[1], n_bands + 2), mel_scale=scale)[1:-1]
