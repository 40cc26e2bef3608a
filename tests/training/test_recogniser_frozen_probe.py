import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTModel,
    AutoFeatureExtractor,
    AutoModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
)

from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.evaluation.statistics.concordance import concordance_correlation
from musemo_hf.pipelines.audio_embedders import audio_model_embedder, recogniser_embedder
from musemo_hf.training.recogniser.frozen_probe import FrozenProbe, frozen_features

TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.fixture(scope="module")
def songs():
    """Features in which the emotion lies, linearly, with noise and useless columns; two songs an artist."""
    rng = np.random.default_rng(0)
    emotion = rng.uniform(-0.8, 0.8, (160, 2))
    features = emotion @ rng.standard_normal((2, 30)) * 10 + 3 * rng.standard_normal((160, 30)) + 5
    return features, emotion, [f"artist {i // 2}" for i in range(160)]


@pytest.mark.parametrize("method", ["ridge", "svr"])
def test_it_finds_the_emotion_of_songs_not_seen(songs, method):
    features, emotion, artists = songs
    probe = FrozenProbe(method).fit(features[:100], emotion[:100], artists[:100])
    assert (np.asarray(concordance_correlation(probe.predict(features[100:]), emotion[100:])) > 0.8).all()
    assert len(probe.selected) == 2


def test_the_regularisation_is_chosen_on_other_artists(songs):
    # one-hot columns of the artist explain every training song, and nothing of an artist not seen
    rng = np.random.default_rng(1)
    artists = [f"artist {i % 20}" for i in range(200)]
    emotion = np.repeat(rng.uniform(-0.8, 0.8, (1, 20, 2)), 10, axis=0).reshape(200, 2)
    one_hot = 3.0 * np.eye(20)[np.arange(200) % 20]
    heard = emotion @ rng.standard_normal((2, 5)) + 2 * rng.standard_normal((200, 5))
    together = FrozenProbe("ridge").fit(np.hstack([one_hot, heard]), emotion, [f"song {i}" for i in range(200)])
    apart = FrozenProbe("ridge").fit(np.hstack([one_hot, heard]), emotion, artists)
    # where an artist's songs lie in both parts the columns seem to be right, and the score with them perfect
    assert min(search.best_score_ for search in together.searches) > 0.95
    assert max(search.best_score_ for search in apart.searches) < 0.6


@pytest.mark.parametrize("kind", ["wav2vec2", "ast"])
def test_on_a_tiny_audio_model_saved_and_loaded(tmp_path, kind):
    torch.manual_seed(0)
    if kind == "wav2vec2":
        sizes = {"conv_dim": (8, 8), "conv_stride": (5, 4), "conv_kernel": (10, 8), "num_feat_extract_layers": 2}
        extras = {"feat_extract_norm": "layer", "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
        model = Wav2Vec2Model(Wav2Vec2Config(**TINY, **sizes, **extras))
        extractor = Wav2Vec2FeatureExtractor(do_normalize=False)
    else:
        model = ASTModel(ASTConfig(**TINY, max_length=64, num_mel_bins=32))
        extractor = ASTFeatureExtractor(max_length=64, num_mel_bins=32)
    for part in (model, extractor):
        part.save_pretrained(tmp_path)
    embedder = audio_model_embedder(AutoModel.from_pretrained(tmp_path), AutoFeatureExtractor.from_pretrained(tmp_path))
    rng = np.random.default_rng(0)
    arousal = rng.uniform(-1, 1, 60)
    # how bright the noise is: wav2vec2 takes the level out of what it hears
    audio = np.stack([0.1 * lfilter([1], [1, 0.9 * a], rng.standard_normal(3200)) for a in arousal]).astype(np.float32)
    emotion = np.stack([rng.uniform(-1, 1, 60), arousal], axis=1)
    features = frozen_features(embedder, audio, 16000)
    assert features.shape == (60, 16)
    artists = [f"artist {i}" for i in range(60)]
    probe = FrozenProbe("ridge", n_folds=3).fit(features[:45], emotion[:45], artists[:45])
    _, heard = concordance_correlation(probe.predict(features[45:]), emotion[45:])
    assert heard > 0.5


def test_features_of_log_mels(vit_config):
    embedder = recogniser_embedder(MusemoViTForEmotionRegression(MusemoViTConfig(**vit_config.to_diff_dict())))
    clips = np.random.default_rng(0).uniform(-60, 40, (3, 128, 32)).astype(np.float32)
    assert frozen_features(embedder, clips).shape == (3, 16)
    with pytest.raises(ValueError, match=r"expected log-mels for musemo-recogniser.*got a sampling rate"):
        frozen_features(embedder, np.zeros((3, 100)), 44100)


def test_refuses(songs):
    features, emotion, artists = songs
    with pytest.raises(ValueError, match=r"expected method to be one of \['ridge', 'svr'\], got 'lasso'"):
        FrozenProbe("lasso")
    with pytest.raises(ValueError, match="call fit first"):
        FrozenProbe().predict(features)
    with pytest.raises(ValueError, match=r"expected 160 emotions \(N, 2\) and artists, got \(160, 1\) and 160"):
        FrozenProbe().fit(features, emotion[:, :1], artists)
    with pytest.raises(ValueError, match=r"expected finite features \(N, D\)"):
        FrozenProbe().fit(np.full_like(features, np.nan), emotion, artists)
