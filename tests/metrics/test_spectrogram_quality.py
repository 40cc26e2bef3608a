import json
import subprocess
import sys

import datasets
import evaluate
import numpy as np
import pytest
import torch

from musemo_hf.evaluation.score.reducer import ClipReducer
from musemo_hf.evaluation.score.report import Evidence, quality_report
from musemo_hf.metrics import metric_path


def _clips(n, seed, n_frames=256):
    rng = np.random.default_rng(seed)
    walks = np.cumsum(rng.standard_normal((n, 128, n_frames), dtype=np.float32), axis=2) / 3
    return walks - walks.mean(axis=2, keepdims=True) + rng.normal(-15, 5, (n, 1, 1)).astype(np.float32)


REAL, FAKE = _clips(40, 0), _clips(25, 1)


def _load(tmp_path, **options):
    return evaluate.load(metric_path("spectrogram_quality"), cache_dir=str(tmp_path), **options)


@pytest.fixture
def metric(tmp_path):
    return _load(tmp_path)


def _in_memory(real=REAL, fake=FAKE, **options):
    reducer = ClipReducer()
    return quality_report(
        Evidence(reducer.references(real), reducer.predictions(fake), reducer, reducer.statistics, **options)
    )


def _same(answer, expected, tolerance=1e-6):
    """The metric's answer is the expected report, but for the note that the deciding figure is missing."""
    assert "external" in answer["notes"].pop("external_skill")
    _equal(answer, expected, tolerance)


def _equal(answer, expected, tolerance):
    assert set(answer) == set(expected)
    for name, value in expected.items():
        if isinstance(value, dict):
            _equal(answer[name], value, tolerance)
        elif isinstance(value, float | list):
            assert answer[name] == pytest.approx(value, abs=tolerance, nan_ok=True), name
        else:
            assert answer[name] == value, name


def test_streamed_is_in_memory(metric):
    """One-sided calls, unequal numbers, batches of any size, one by one, with and without a channel axis."""
    metric.add_batch(references=REAL[:7])
    metric.add_batch(predictions=FAKE[:20, None], references=REAL[7:30])
    metric.add_batch(references=torch.from_numpy(REAL[30:39]))
    metric.add(reference=REAL[39])
    for clip in FAKE[20:]:
        metric.add(prediction=clip[None])
    _same(metric.compute(), _in_memory())


def test_combined_with_another_metric_one_by_one(tmp_path):
    combined = evaluate.combine([_load(tmp_path / "a"), _load(tmp_path / "b", embedder="mel-statistics-v1")])
    for index in range(5):
        combined.add(prediction=FAKE[index], reference=REAL[index])
    combined.add(predictions=FAKE[5], references=REAL[5])
    answer = combined.compute(ladder=False)
    alone = _load(tmp_path / "c").compute(predictions=FAKE[:6], references=REAL[:6], ladder=False)
    for index in range(2):
        assert answer[f"spectrogram_quality_{index}_quality_score"] == pytest.approx(alone["quality_score"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_resamples": 0}, "n_resamples as a whole number from 1 on, got 0"),
        ({"confidence": "0.9"}, r"a confidence in \(0, 1\), such as 0.95, got '0.9'"),
        ({"seed": -1}, "seed as a whole number from 0 on, got -1"),
    ],
)
def test_bad_options_are_named(metric, options, message):
    with pytest.raises(ValueError, match=message):
        metric.compute(predictions=FAKE[:3], references=REAL[:3], **options)


@pytest.mark.parametrize(
    "kind",
    [
        lambda clips: clips[:, None],
        list,
        torch.from_numpy,
        lambda clips: datasets.Dataset.from_dict(
            {"x": list(clips)}, features=datasets.Features({"x": datasets.Array2D((128, 256), "float32")})
        ).with_format("numpy")["x"],
    ],
    ids=["channel", "list", "torch", "column"],
)
def test_compute_takes_every_kind_of_clips(metric, kind):
    answer = metric.compute(predictions=kind(FAKE), references=kind(REAL), ladder=False)
    _same(answer, _in_memory(ladder=False))


def test_compute_adds_to_what_was_added_and_starts_afresh(metric):
    metric.add_batch(references=REAL)
    first = metric.compute(predictions=FAKE, ladder=False)
    assert (first["n_references"], first["n_predictions"]) == (40, 25)
    again = metric.compute(predictions=FAKE, references=REAL[:10], ladder=False)
    assert again["n_references"] == 10


def test_options_reach_the_report(metric, tmp_path):
    reducer = ClipReducer()
    training, held_out = _clips(12, 3), reducer.embed(_clips(12, 4), "held_out")
    np.savez(tmp_path / "held_out.npz", embeddings=held_out, embedder="modulation-v1")
    options = {"confidence": 0.9, "n_resamples": 20, "seed": 5, "ladder": False}
    answer = metric.compute(
        predictions=FAKE, references=REAL, training=training, held_out=str(tmp_path / "held_out.npz"), **options
    )
    features = {"training": reducer.embed(training, "training"), "held_out": held_out}
    _same(answer, _in_memory(**features, **options))
    assert 0 <= answer["authenticity"] <= 1


def test_bad_embeddings_are_named(metric, tmp_path):
    np.savez(tmp_path / "other.npz", embeddings=np.zeros((3, 128)), embedder="mel-statistics-v1")
    np.savez(tmp_path / "none.npz", features=np.zeros((3, 128)))
    metric.add_batch(predictions=FAKE, references=REAL)
    with pytest.raises(ValueError, match=r"embeddings of modulation-v1 in .*got those of mel-statistics-v1"):
        metric.compute(training=tmp_path / "other.npz")
    with pytest.raises(ValueError, match=r"an array `embeddings` for held_out in .*got features"):
        metric.compute(held_out=tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"expected training embeddings \(N, 128\) of modulation-v1, got \(3, 7\)"):
        metric.compute(training=np.zeros((3, 7)))


def test_an_embedder_is_chosen_on_loading(tmp_path):
    metric = _load(tmp_path, embedder="mel-statistics-v1")
    answer = metric.compute(predictions=FAKE, references=REAL, ladder=False)
    assert answer["embedder"] == "mel-statistics-v1"
    assert np.isfinite(answer["kid"])
    with pytest.raises(ValueError, match="expected an embedder out of mel-statistics-v1"):
        _load(tmp_path, embedder="vggish")


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (None, None, "expected predictions and references, got none"),
        (FAKE, None, "at least one clip of references, got none"),
        (None, REAL, "at least one clip of predictions, got none"),
        ([], REAL, "at least one clip of predictions, got none"),
        ((FAKE + 10) / 500, REAL, "got normalised predictions"),
        (FAKE.transpose(0, 2, 1), REAL, "are the axes swapped"),
        (np.where(FAKE > 0, np.nan, FAKE), REAL, r"finite dB at predictions\["),
        (FAKE, np.full((4, 128, 256), 3.0), "references that vary"),
    ],
)
def test_bad_inputs_are_named(metric, predictions, references, message):
    with pytest.raises(ValueError, match=message):
        metric.compute(predictions=predictions, references=references)


WORKER = """
import json, sys
import evaluate, numpy as np
path, cache, process, real, fake = sys.argv[1:]
metric = evaluate.load(path, cache_dir=cache, num_process=2, process_id=int(process), experiment_id="shards")
real, fake = np.load(real), np.load(fake)
for clips in np.array_split(real, 3):
    metric.add_batch(references=clips)
if len(fake):
    metric.add_batch(predictions=fake)
answer = metric.compute()
if answer is not None:
    print(json.dumps(answer))
"""


def test_two_processes_with_unequal_shards_answer_as_one(tmp_path):
    """11 and 29 references, 25 and 0 predictions, dealt out of order."""
    shards = [(REAL[29:], FAKE), (REAL[:29], FAKE[:0])]
    processes = []
    for number, (real, fake) in enumerate(shards):
        paths = [tmp_path / f"{name}{number}.npy" for name in ("real", "fake")]
        for path, clips in zip(paths, (real, fake), strict=True):
            np.save(path, clips)
        command = [sys.executable, "-c", WORKER, metric_path("spectrogram_quality"), str(tmp_path), str(number)]
        processes.append(subprocess.Popen([*command, *map(str, paths)], stdout=subprocess.PIPE, text=True))
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[1] == ""
    _same(json.loads(outputs[0]), _in_memory())


def test_nothing_of_the_frames_reaches_the_store(metric, tmp_path):
    metric.add_batch(references=_clips(4, 0, n_frames=1292))
    stored = sum(path.stat().st_size for path in tmp_path.rglob("*.arrow"))
    assert stored < 4 * 4096


def test_unknown_metrics_are_named():
    with pytest.raises(ValueError, match="expected a metric out of concordance_correlation, spectrogram_quality"):
        metric_path("accuracy")
