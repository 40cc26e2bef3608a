"""Embedders by any Hugging Face audio model: CLAP, AST, wav2vec2, HuBERT, MERT, the encoder of Whisper.

from musemo_hf.pipelines.embedders.audio_models import hub_embedder

embedder = hub_embedder("laion/clap-htsat-unfused")
features = embedder.embed_audio(waveforms, sampling_rate=22050)
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from musemo_hf.audio.decoding import resample
from musemo_hf.models.gan import evaluating
from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder, Waveforms, audio_embedder
from musemo_hf.pipelines.embedders.recogniser import name_of

LONGEST = 30.0  # s; the time and memory of attention grow with the square of the length


def hub_embedder(repository: str, name: str | None = None, **options: Any) -> AudioEmbedder:
    """Return the embedder of an audio model from the Hub or from a folder.

    Args:
        repository: The Hub repository or the folder of a model with an audio feature extractor.
        name: See `audio_model_embedder`.
        **options: The options of `from_pretrained`, such as `revision`, or `trust_remote_code` for MERT.

    Raises:
        ValueError: The model has no audio feature extractor, or returns no hidden states.
        OSError: There is no such model, or it cannot be fetched.
    """
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

    try:
        config = AutoConfig.from_pretrained(repository, **options)
    except (ValueError, OSError) as error:
        raise OSError(_missing(repository, error)) from error
    try:
        feature_extractor = AutoFeatureExtractor.from_pretrained(repository, **options)
    except (ValueError, OSError, KeyError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"expected a model with an audio feature extractor at {repository}, got a {config.model_type} without one: "
            f"{reason}"
        ) from error
    return audio_model_embedder(AutoModel.from_pretrained(repository, **options), feature_extractor, name)


def _missing(repository: str, error: Exception) -> str:
    """Say what was expected where there is no model, with the first sentence of the reason."""
    reason, folder = (str(error).strip() or type(error).__name__).splitlines()[0], Path(repository)
    if not folder.is_dir():
        return f"expected the repository or the folder of an audio model of transformers, got {repository!r}: {reason}"
    found = f"a config.json that names none: {reason}" if (folder / "config.json").is_file() else "no config.json in it"
    return f"expected an audio model of transformers in the folder {repository}, got {found}"


def audio_model_embedder(model: Any, feature_extractor: Any, name: str | None = None) -> AudioEmbedder:
    """Return an embedder of log-mels and audio by a Hugging Face audio model.

    The features of a clip are CLAP's audio embedding, else the pooled output, else the mean of the last hidden states
    without those of padding. They do not depend on the other clips of a call, nor on chance: clips of one length share
    a batch, and a clip that is longer than the model reads is cut into equal parts, whose features are averaged, where
    some extractors would read a random part. Clips are comparable if they have one length, as extractors pad or repeat
    shorter ones.

    Args:
        model: The model; its mode and device are kept. Of an encoder and a decoder, the encoder is used.
        feature_extractor: The feature extractor of the model, with its sampling rate.
        name: The name with a version (default: the model type, and a digest of the weights and of the feature
            extractor's configuration).

    Raises:
        ValueError: The feature extractor is not one of audio, or the model returns no hidden states.
    """
    rate = getattr(feature_extractor, "sampling_rate", None)
    if not isinstance(rate, int):
        raise ValueError(
            f"expected an audio feature extractor, with a sampling rate, for {model.config.model_type}, got "
            f"{type(feature_extractor).__name__}"
        )
    longest = _longest(feature_extractor, rate)

    def embed_waveforms(waveforms: Waveforms, sampling_rate: float) -> np.ndarray:
        parts, owners = [], []
        for row, waveform in enumerate(waveforms):
            samples = resample(waveform, sampling_rate, rate)
            split = np.array_split(samples, -(-len(samples) // longest))
            parts += split
            owners += [row] * len(split)
        features = _by_length(parts, lambda same: _embed(model, feature_extractor, same, rate))
        return np.stack([features[np.array(owners) == row].mean(axis=0) for row in range(len(waveforms))])

    dimension = embed_waveforms([np.zeros(rate, np.float32)], rate).shape[1]
    return audio_embedder(
        name or name_of(model.config.model_type, model, feature_extractor), dimension, rate, embed_waveforms
    )


def _longest(feature_extractor: Any, rate: int) -> int:
    """Return the number of samples that the extractor reads without cutting, at most `LONGEST`."""
    longest = round(LONGEST * rate)
    for attribute in ("nb_max_samples", "n_samples"):  # CLAP, Whisper
        longest = min(longest, int(getattr(feature_extractor, attribute, None) or longest))
    if frames := getattr(feature_extractor, "max_length", None):  # AST: frames of 25 ms every 10 ms
        longest = min(longest, round((0.025 + 0.01 * (int(frames) - 1)) * rate))
    return longest


def _by_length(parts: list[np.ndarray], embed: Any) -> np.ndarray:
    """Embed parts of one length together, so that none is padded to the length of another."""
    rows = defaultdict(list)
    for row, part in enumerate(parts):
        rows[len(part)].append(row)
    features: list[Any] = [None] * len(parts)
    for same in rows.values():
        for row, feature in zip(same, embed([parts[row] for row in same]), strict=True):
            features[row] = feature
    return np.stack(features)


def _embed(model: Any, feature_extractor: Any, clips: list[np.ndarray], rate: int) -> np.ndarray:
    is_encoder_decoder = getattr(model.config, "is_encoder_decoder", False)
    masked = {"return_attention_mask": True} if is_encoder_decoder else {}  # Whisper pads all clips to 30 s
    inputs = feature_extractor(clips, sampling_rate=rate, return_tensors="pt", **masked)
    inputs = {key: value.to(model.device) for key, value in inputs.items()}
    inputs = {key: value.to(model.dtype) if value.is_floating_point() else value for key, value in inputs.items()}
    if "is_longer" in inputs:  # CLAP's extractor marks a clip at random where none is longer than it reads
        inputs["is_longer"] = torch.zeros_like(inputs["is_longer"])
    mask = inputs.pop("attention_mask") if is_encoder_decoder else inputs.get("attention_mask")
    with evaluating(model):
        if hasattr(model, "get_audio_features"):
            output = model.get_audio_features(**inputs)
        else:
            output = (model.get_encoder() if is_encoder_decoder else model)(**inputs)
    return _pooled(output, mask, model.config.model_type).float().cpu().numpy()


def _pooled(output: Any, mask: Tensor | None, model_type: str) -> Tensor:
    if isinstance(output, Tensor):
        return output
    for attribute in ("audio_embeds", "pooler_output"):
        if getattr(output, attribute, None) is not None:
            return getattr(output, attribute)
    hidden = getattr(output, "last_hidden_state", None)
    if hidden is None:
        raise ValueError(f"expected a model that returns hidden states, got {model_type} with {', '.join(output)}")
    if mask is None:
        return hidden.mean(dim=1)
    # a hidden state stands for several frames of the mask
    n_valid = torch.ceil(mask.sum(dim=1) * hidden.shape[1] / mask.shape[1]).clamp(1, hidden.shape[1])
    valid = torch.arange(hidden.shape[1], device=hidden.device) < n_valid[:, None]
    return (hidden * valid[..., None]).sum(dim=1) / n_valid[:, None].to(hidden.dtype)
