import numpy as np
import pytest
import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTModel,
    ClapAudioConfig,
    ClapAudioModelWithProjection,
    ClapFeatureExtractor,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
)

from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.audio.inversion import mel_to_audio
from musemo_hf.pipelines.embedders.audio_models import audio_model_embedder
from musemo_hf.pipelines.embedders.recogniser import recogniser_embedder

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.fixture
def clips():
    return np.random.default_rng(0).normal(-20, 20, (3, 128, 87)).astype(np.float32)  # two seconds


@pytest.fixture
def recogniser():
    torch.manual_seed(0)
    return MusemoViTForEmotionRegression(MusemoViTConfig(n_frames=87, **SMALL))


def test_the_recognisers_pooled_features(recogniser, clips):
    recogniser.train()
    embedder = recogniser_embedder(recogniser)
    features = embedder.embed(clips)
    assert recogniser.training
    recogniser.eval()
    normalised = torch.from_numpy((np.clip(clips, -60, 40) + 10) / 50)[:, None]
    with torch.no_grad():
        expected = recogniser(spectrogram=normalised).pooled.numpy()
    np.testing.assert_allclose(features, expected, atol=1e-5)
    assert embedder.dimension == 16
    with pytest.raises(ValueError, match="87 frames for this recogniser, got 80"):
        embedder.embed(clips[..., :80])


def test_other_weights_are_another_name(recogniser):
    name = recogniser_embedder(recogniser).name
    assert name.startswith("musemo-recogniser-")
    assert name.endswith("-v1")
    assert recogniser_embedder(recogniser).name == name
    with torch.no_grad():
        next(recogniser.parameters()).add_(1e-3)
    assert recogniser_embedder(recogniser).name != name
    assert recogniser_embedder(recogniser, "mine-v3").name == "mine-v3"


def wav2vec2():
    config = Wav2Vec2Config(
        conv_dim=(8, 8), conv_stride=(40, 8), conv_kernel=(40, 8), num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2, feat_extract_norm="layer", **SMALL,
    )  # fmt: skip
    return Wav2Vec2Model(config), Wav2Vec2FeatureExtractor()


def ast():
    return ASTModel(ASTConfig(max_length=128, num_mel_bins=32, **SMALL)), ASTFeatureExtractor(
        max_length=128, num_mel_bins=32
    )


def clap():
    config = ClapAudioConfig(
        spec_size=64, num_mel_bins=16, patch_size=2, patch_stride=2, window_size=4, depths=[1, 1], hidden_size=16,
        patch_embeds_hidden_size=8, num_attention_heads=[1, 2], projection_dim=12, enable_fusion=False,
    )  # fmt: skip
    extractor = ClapFeatureExtractor(feature_size=16, max_length_s=2, truncation="rand_trunc", padding="repeatpad")
    return ClapAudioModelWithProjection(config), extractor


@pytest.mark.parametrize(("make", "dimension"), [(wav2vec2, 16), (ast, 16), (clap, 12)])
def test_audio_models_through_their_own_extractors(make, dimension, clips, tmp_path):
    torch.manual_seed(0)
    made, extractor = make()
    made.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    model, extractor = type(made).from_pretrained(tmp_path), type(extractor).from_pretrained(tmp_path)
    embedder = audio_model_embedder(model, extractor)
    assert embedder.dimension == dimension
    assert embedder.name.startswith(model.config.model_type)
    features = embedder.embed(clips)
    assert features.shape == (3, dimension)
    assert np.isfinite(features).all()
    audio = mel_to_audio(torch.from_numpy(np.clip(clips, -60, 40))).numpy()
    np.testing.assert_allclose(features, embedder.embed_audio(audio, 22050), atol=1e-4)
    assert np.abs(features[0] - features[1]).max() > 1e-6


def test_pooling_by_hand_and_errors():
    model, extractor = wav2vec2()
    embedder = audio_model_embedder(model, extractor, name="tiny-v1")
    audio = np.random.default_rng(0).normal(size=(2, 16000)).astype(np.float32)
    model.eval()
    with torch.no_grad():
        inputs = extractor(list(audio), sampling_rate=16000, return_tensors="pt")
        expected = model(**inputs).last_hidden_state.mean(1).numpy()
    np.testing.assert_allclose(embedder.embed_audio(audio, 16000), expected, atol=1e-5)
    assert embedder.embed_audio(audio[:0], 16000).shape == (0, 16)
    with pytest.raises(ValueError, match=r"audio \(B, samples\) for tiny-v1, got \(16000,\)"):
        embedder.embed_audio(audio[0], 16000)
    with pytest.raises(ValueError, match="NaN"):
        embedder.embed_audio(audio * np.nan, 16000)
