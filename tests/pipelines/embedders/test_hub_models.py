"""Each kind of audio model through its library's own feature extractor, from a folder as from the Hub."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTModel,
    AutoFeatureExtractor,
    AutoModel,
    BertConfig,
    BertModel,
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    EncodecConfig,
    EncodecFeatureExtractor,
    EncodecModel,
    HubertConfig,
    HubertModel,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
    Wav2Vec2FeatureExtractor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.pipelines.embedders.audio_models import hub_embedder
from musemo_hf.pipelines.embedders.find import find_embedder

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
CONVOLUTIONS = {
    "conv_dim": (8, 8), "conv_stride": (40, 8), "conv_kernel": (40, 8), "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}  # fmt: skip


def clap(fusion):
    audio = ClapAudioConfig(
        spec_size=64, num_mel_bins=16, patch_size=4, patch_stride=[4, 4], window_size=4, depths=[1, 1], hidden_size=16,
        patch_embeds_hidden_size=8, num_attention_heads=[1, 2], projection_dim=12, enable_fusion=fusion,
    )  # fmt: skip
    text = ClapTextConfig(vocab_size=30, **SMALL)
    extractor = ClapFeatureExtractor(
        feature_size=16 if not fusion else 64, max_length_s=2, truncation="fusion" if fusion else "rand_trunc"
    )
    if fusion:  # the extractor's own fusion is fixed to 64 bands
        audio.num_mel_bins, audio.spec_size = 64, 256
    return ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=12)), extractor


def ast():
    return ASTModel(ASTConfig(max_length=98, num_mel_bins=32, **SMALL)), ASTFeatureExtractor(
        max_length=98, num_mel_bins=32
    )


def hubert(mask):
    norm = "layer" if mask else "group"
    model = HubertModel(HubertConfig(feat_extract_norm=norm, **CONVOLUTIONS, **SMALL))
    return model, Wav2Vec2FeatureExtractor(return_attention_mask=mask)


def whisper():
    config = WhisperConfig(
        vocab_size=30, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, num_mel_bins=16,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_source_positions=150, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    return WhisperModel(config), WhisperFeatureExtractor(feature_size=16, chunk_length=3)


def save(path, *parts):
    for part in parts:
        part.save_pretrained(path)
    return str(path)


MODELS = {
    "clap": lambda: clap(False),
    "fused clap": lambda: clap(True),
    "ast": ast,
    "hubert with mask": lambda: hubert(True),
    "hubert without": lambda: hubert(False),
    "whisper": whisper,
}


@pytest.fixture(scope="module", params=MODELS)
def folder(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    save(path, *MODELS[request.param]())
    return request.param, path


@pytest.fixture(scope="module")
def model(folder):
    return folder[0], hub_embedder(str(folder[1]))


def by_hand(path, samples):
    """The features of one clip that is not longer than the model reads, from the library alone."""
    model, extractor = AutoModel.from_pretrained(path).eval(), AutoFeatureExtractor.from_pretrained(path)
    inputs = extractor([samples], sampling_rate=extractor.sampling_rate, return_tensors="pt")
    inputs = {name: value.float() if value.is_floating_point() else value for name, value in inputs.items()}
    with torch.no_grad():
        if model.config.model_type == "clap":
            inputs["is_longer"] = torch.tensor([[False]])
            return model.get_audio_features(**inputs).pooler_output[0].numpy()
        if model.config.model_type == "whisper":
            states = model.get_encoder()(**inputs).last_hidden_state[0]
            return states[: -(-len(samples) // 320)].mean(0).numpy()  # a state stands for two frames of 160 samples
        output = model(**inputs)
    if model.config.model_type == "audio-spectrogram-transformer":
        return output.pooler_output[0].numpy()
    return output.last_hidden_state[0].mean(0).numpy()


def test_the_features_are_the_librarys(folder, model, song):
    _, embedder = model
    samples = song(0.9, rate=embedder.sampling_rate)
    found = embedder.embed_audio([samples], embedder.sampling_rate)[0]
    np.testing.assert_allclose(found, by_hand(folder[1], samples), atol=1e-5)
    assert embedder.name.startswith(AutoModel.from_pretrained(folder[1]).config.model_type)


def test_nothing_depends_on_chance_or_on_other_clips(model, song):
    _, embedder = model
    clips = [song(seconds, seed, embedder.sampling_rate) for seed, seconds in enumerate((0.7, 3.7, 0.7, 1.3))]
    together = embedder.embed_audio(clips, embedder.sampling_rate)
    np.random.seed(1)  # noqa: NPY002 (CLAP's extractor draws from it)
    alone = np.concatenate([embedder.embed_audio([clip], embedder.sampling_rate) for clip in clips])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together[0] - together[2]).max() > 1e-4


def test_a_long_clip_is_heard_to_its_end(model, song):
    _, embedder = model
    rate = embedder.sampling_rate
    start, end, other = (song(31, seed, rate)[: 31 * rate] for seed in (1, 2, 3))
    one, two = (np.concatenate([start, tail]) for tail in (end, other))
    features = embedder.embed_audio([one, two], rate)
    assert np.abs(features[0] - features[1]).max() > 1e-5


def test_padding_is_not_heard_and_silence_is(song, tmp_path):
    embedder = hub_embedder(save(tmp_path, *whisper()))
    samples = song(0.5, rate=16_000)
    short, padded = embedder.embed_audio([samples, np.pad(samples, (0, 16_000))], 16_000)
    np.testing.assert_allclose(short, by_hand(tmp_path, samples), atol=1e-5)
    assert np.abs(short - padded).max() > 1e-3


def test_the_same_sound_at_another_rate(model, song):
    _, embedder = model
    at_22, at_44 = (embedder.embed_audio([song(0.9, 4, rate)], rate)[0] for rate in (22_050, 44_100))
    assert at_22.shape == at_44.shape == (embedder.dimension,)


def test_a_folder_is_found_by_name(folder, model):
    assert find_embedder(str(folder[1])).name == model[1].name


@pytest.mark.parametrize("setting", [{"do_normalize": False}, {"padding_value": -1.0}, {"return_attention_mask": True}])
def test_another_configuration_of_the_extractor_is_another_name(tiny_wav2vec2, tmp_path, setting):
    """The cache of features goes by the name, and other input has other features."""
    folder = save(tmp_path / "ears", *tiny_wav2vec2)
    name = find_embedder(folder).name
    stored = Path(folder, "preprocessor_config.json")
    configuration = json.loads(stored.read_text())
    stored.write_text(json.dumps(configuration | setting))
    assert find_embedder(folder).name != name
    stored.write_text(json.dumps(configuration))
    assert find_embedder(folder).name == name


def test_models_that_hear_nothing(tmp_path):
    text = save(tmp_path / "bert", BertModel(BertConfig(vocab_size=30, **SMALL)))
    with pytest.raises(ValueError, match=r"with an audio feature extractor at .*bert, got a bert without"):
        find_embedder(text)
    picture = ViTModel(ViTConfig(image_size=32, patch_size=16, **SMALL))
    image = save(tmp_path / "vit", picture, ViTImageProcessor(size={"height": 32, "width": 32}))
    with pytest.raises(ValueError, match=r"expected a.* audio feature extractor.* vit"):
        find_embedder(image)
    codec = EncodecModel(EncodecConfig(hidden_size=16, num_filters=4, codebook_size=16, upsampling_ratios=[4, 2]))
    codes = save(tmp_path / "codec", codec, EncodecFeatureExtractor())
    with pytest.raises(ValueError, match="expected a model that returns hidden states, got encodec"):
        find_embedder(codes)


def test_names_that_are_no_embedder(tmp_path):
    with pytest.raises(ValueError, match=r"expected an embedder out of .*yamnet-v1, or .* got 'ears-v1'"):
        find_embedder("ears-v1")
    with pytest.raises(OSError, match=rf"an audio model of transformers in the folder {tmp_path}, got no config\.json"):
        find_embedder(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(OSError, match=r"in the folder .*, got a config\.json that names none: .*model_type"):
        find_embedder(str(tmp_path))
    with pytest.raises(OSError, match=r"the repository or the folder of an audio model .*, got 'nobody/typo': "):
        find_embedder("nobody/typo")
    assert find_embedder("modulation-v1") is get_embedder("modulation-v1")
