"""Kernel regression on several groups of statistics: what they tell, how they are weighted, and how it is saved."""

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.models.vit.kernel_mixture import EMBEDDING, RIDGE, STATISTICS, KernelMixture, mixture_sizes
from musemo_hf.models.vit.patterns import PatternStatistics
from musemo_hf.models.vit.tonal import SIZE, pitch_class_weights, tonal_statistics

MAJOR, MINOR = slice(18, 19), slice(19, 20)  # of the tonal statistics: the fit of the best major and minor key


def chord(pitches, n_frames=64):
    """A clip of steady partials, `pitches` in semitones above 440 Hz, each in the mel band that is nearest."""
    weights, spectrogram = pitch_class_weights(128), torch.full((1, 1, 128, n_frames), -0.6)
    for pitch in pitches:
        spectrogram[..., int(weights[pitch % 12, 40:90].argmax()) + 40, :] = 0.4
    return spectrogram


def songs(n=40, n_frames=40, seed=0):
    """Clips whose level carries valence and whose external embedding carries arousal."""
    generator = torch.Generator().manual_seed(seed)
    emotion = 2 * torch.rand(n, 2, generator=generator) - 1
    noise = 0.1 * torch.randn(n, 1, 128, n_frames, generator=generator)
    embedding = emotion[:, 1:] + 0.1 * torch.randn(n, 6, generator=generator)
    return 0.3 * emotion[:, :1, None, None] + noise, emotion, embedding


def config(**changes):
    values = {"n_frames": 40, "kernel_read_out": True, "kernel_statistics": list(STATISTICS), "network": False}
    return MusemoViTConfig(**values | changes)


def test_mel_bands_belong_to_the_pitch_classes_of_their_frequencies():
    librosa = pytest.importorskip("librosa")
    centres = librosa.mel_frequencies(130, fmin=0, fmax=11025)[1:-1]
    weights = pitch_class_weights(128).numpy()
    heard = centres > 1000  # where bands are about half a semitone wide
    expected = np.round(12 * np.log2(centres[heard] / 440)).astype(int) % 12
    distance = np.abs((weights[:, heard].argmax(axis=0) - expected + 6) % 12 - 6)
    assert distance.max() <= 1
    assert np.mean(distance == 0) > 0.95
    np.testing.assert_allclose(weights[:, centres > 174].sum(axis=0), 1, atol=1e-5)
    assert not weights[:, centres < 170].any()


def test_tonal_statistics_tell_major_from_minor_in_any_key():
    for tonic in (0, 3, 7):
        major, minor = (tonal_statistics(chord([tonic, tonic + third, tonic + 7])) for third in (4, 3))
        assert major[0, MAJOR] > major[0, MINOR]
        assert minor[0, MINOR] > minor[0, MAJOR]


@pytest.mark.parametrize("n_frames", [8, 33, 431])
def test_tonal_statistics_are_finite(n_frames):
    mel = torch.rand(2, 1, 128, n_frames) * 2 - 1
    for values in (mel, torch.full_like(mel, -1.0), torch.zeros_like(mel)):
        statistics = tonal_statistics(values)
        assert statistics.shape == (2, SIZE)
        assert torch.isfinite(statistics).all()


def test_patterns_respond_to_what_they_were_learnt_from():
    spectrogram, _, _ = songs(8)
    spectrogram[:4, ..., ::8] += 0.5  # clicks in half of the songs
    patterns = PatternStatistics()
    patterns.fit(spectrogram)
    responses = patterns(spectrogram)
    assert torch.isfinite(responses).all()
    clicks, noise = responses[:4].mean(dim=0), responses[4:].mean(dim=0)
    distances = torch.cdist(responses, torch.stack([clicks, noise]))
    assert distances.argmin(dim=1).tolist() == [0] * 4 + [1] * 4
    assert (clicks - noise).norm() > 2
    again = PatternStatistics()
    again.fit(spectrogram, seed=0)
    assert torch.equal(again.filters, patterns.filters)
    again.fit(spectrogram, seed=1)
    assert not torch.equal(again.filters, patterns.filters)


def test_it_is_kernel_ridge_regression_scaled_by_left_out_artists():
    spectrogram, emotion, _ = songs()
    artists = [song // 3 for song in range(40)]
    head = KernelMixture(40, 0, ("texture",))
    left_out = head.fit(spectrogram, emotion, artists)
    statistics = head.standardised(spectrogram)["texture"].half().double().numpy()
    labels = emotion.double().numpy()
    ridge = KernelRidge(alpha=RIDGE, kernel="rbf", gamma=0.25 / float(head.groups["texture"].varying))
    centred = labels - labels.mean(axis=0)
    alone = cross_val_predict(ridge, statistics, centred, groups=artists, cv=LeaveOneGroupOut())
    spread = labels.std(axis=0) / alone.std(axis=0)
    np.testing.assert_allclose(left_out.numpy(), alone * spread + labels.mean(axis=0), atol=1e-4)
    expected = ridge.fit(statistics, centred).predict(statistics) * spread + labels.mean(axis=0)
    np.testing.assert_allclose(head(spectrogram).numpy(), expected, atol=2e-3)


def test_groups_share_the_answer_by_their_weights():
    spectrogram, emotion, embedding = songs(80)
    head = KernelMixture(40, 0, STATISTICS, 6)
    head.fit(spectrogram, emotion, embedding=embedding)
    assert dict(zip(head.groups, head.mixture.tolist(), strict=True)) == pytest.approx(
        {"texture": 0.3, "tonal": 0.1, "patterns": 0.1, EMBEDDING: 0.5}
    )
    new, labels, features = songs(40, seed=1)
    predicted = head(new, features)
    for dimension in (0, 1):
        assert np.corrcoef(predicted[:, dimension], labels[:, dimension])[0, 1] > 0.8


def test_a_student_learns_from_its_teacher():
    spectrogram, emotion, _ = songs()
    head = KernelMixture(40, 0, ("texture",))
    head.fit(spectrogram, emotion, taught=emotion.flip(1))
    assert np.corrcoef(head(spectrogram)[:, 0], emotion[:, 1])[0, 1] > 0.9


def test_principal_components_keep_the_distances_of_few_songs():
    spectrogram, emotion, _ = songs(30)
    embedding = torch.rand(30, 300)  # more features than songs
    head = KernelMixture(40, 0, (), 300)
    head.fit(spectrogram, emotion, embedding=embedding)
    group = head.groups[EMBEDDING]
    standard = (embedding.sqrt() - group.mean) / group.scale
    kept = group(embedding.sqrt())
    torch.testing.assert_close(torch.cdist(kept, kept), torch.cdist(standard, standard), atol=0.05, rtol=0.01)


def test_a_recogniser_without_a_network_is_saved_and_loaded(tmp_path):
    spectrogram, emotion, embedding = songs()
    model = MusemoViTForEmotionRegression(config(embedder="yamnet-v1", embedding_size=6)).eval()
    model.fit_in_closed_form(spectrogram, emotion, [song // 2 for song in range(40)], embedding)
    expected = model(spectrogram=spectrogram, embedding=embedding, labels=emotion)
    assert expected.pooled.shape == (40, model.config.hidden_size)
    assert expected.loss < 0.5
    model.save_pretrained(tmp_path)
    loaded = MusemoViTForEmotionRegression.from_pretrained(tmp_path)
    assert loaded.config.kernel_clips == 40
    torch.testing.assert_close(loaded(spectrogram=spectrogram, embedding=embedding).emotion, expected.emotion)
    half = MusemoViTForEmotionRegression.from_pretrained(tmp_path, dtype=torch.float16)
    torch.testing.assert_close(half(spectrogram=spectrogram, embedding=embedding).emotion, expected.emotion)


def test_an_embedding_is_asked_for_by_its_shape():
    spectrogram, emotion, embedding = songs(6)
    model = MusemoViTForEmotionRegression(config(embedder="yamnet-v1", embedding_size=6)).eval()
    with pytest.raises(ValueError, match=r"an embedding of shape \(6, 6\), got None"):
        model(spectrogram=spectrogram)
    with pytest.raises(ValueError, match=r"an embedding of shape \(6, 6\), got \(6, 5\)"):
        model.fit_in_closed_form(spectrogram, emotion, embedding=embedding[:, :5])
    alone = MusemoViTForEmotionRegression(config()).eval()
    with pytest.raises(ValueError, match=r"expected no embedding, got \(6, 6\)"):
        alone(spectrogram=spectrogram, embedding=embedding)
    with pytest.raises(ValueError, match="at least 2 songs"):
        alone.fit_in_closed_form(spectrogram[:1], emotion[:1])


def test_a_network_and_several_kernels_share_the_answer(vit_config):
    spectrogram, emotion, _ = songs()
    changes = {"kernel_read_out": True, "kernel_statistics": ["texture", "tonal"], "kernel_share": 0.25}
    model = MusemoViTForEmotionRegression(vit_config(**changes)).eval()
    model.fit_in_closed_form(spectrogram, emotion)
    network = model.train()(spectrogram=spectrogram).emotion
    expected = 0.75 * network + 0.25 * model.kernel(spectrogram)
    torch.testing.assert_close(model.eval()(spectrogram=spectrogram).emotion, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_statistics": ["harmony"]}, "kernel_statistics out of texture, tonal, patterns"),
        ({"kernel_statistics": ["tonal", "tonal"]}, "each once"),
        ({"kernel_read_out": False}, "with kernel_read_out=True"),
        ({"kernel_statistics": None}, "a recogniser without a network"),
        ({"embedder": "yamnet-v1"}, "embedder and embedding_size together"),
        ({"embedding_size": 6}, "embedder and embedding_size together"),
        ({"uncertainty": True}, "with a network only"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_the_packaged_sizes():
    assert mixture_sizes(431, STATISTICS, 2048) == {
        "texture": (228, 228),
        "tonal": (51, 51),
        "patterns": (600, 64),
        "embedding": (2048, 128),
    }
