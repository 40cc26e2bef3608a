"""What the packaged models, the metric and a small ablation answer, against answers stored before.

`pytest tests/regression --store-fixtures` stores the answers anew; do so only where a change of them is intended.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from musemo_hf import MusemoGanGenerator, MusemoUNetGenerator, MusemoViTForEmotionRegression, embedded_checkpoint
from musemo_hf.audio.mel import denormalise
from musemo_hf.data.arrays import SongArrays
from musemo_hf.evaluation.score.reducer import ClipReducer
from musemo_hf.evaluation.score.report import Evidence, quality_report
from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.report.report import build_report
from musemo_hf.experiments.ablation.tasks import run_ablation
from musemo_hf.training.configuration import load_configuration

FIXTURES = Path(__file__).parent / "fixtures"
EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6]])
CHANGING = ("command", "versions", "seconds", "configuration", "seconds_per_step")  # of a report, not of its figures
# A product of matrices rounds otherwise on another processor, and training amplifies it. On one machine all is equal.
TOLERANCE = {"clips": 0.05, "predictions": 1e-3, "quality": 1e-6, "report": 0.02}
# what is read from 24 clips of an untrained generator, where one clip more or less counts
LOOSE = {"quality": 0.25, "conditioning": 0.25, "generator_training": 0.25, "quality_score": 1.0}
# of so few clips these differ between processors by more than their own size
UNSTABLE = ("frechet_distance_extrapolated", "published_score_interval")


@pytest.fixture(autouse=True)
def _one_thread():
    """As many threads as one: a sum in another order rounds otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def store(request) -> bool:
    return request.config.getoption("--store-fixtures")


def packaged_clips() -> dict[str, np.ndarray]:
    """A clip in dB of each packaged generator."""
    loaders = {"flow": MusemoUNetGenerator, "generator": MusemoGanGenerator}
    clips = {}
    for name, loader in loaders.items():
        options = {"num_inference_steps": 4} if name == "flow" else {}
        mels = loader.from_pretrained(embedded_checkpoint(name)).generate(emotion=EMOTIONS, seed=0, **options)
        clips[name] = denormalise(mels[:, 0].float()).numpy()
    return clips


def random_songs(n_songs: int = 24, n_frames: int = 256) -> SongArrays:
    rng = np.random.default_rng(0)
    emotion = rng.uniform(-1, 1, (n_songs, 2)).astype(np.float32)
    level = 20 * emotion[:, 1, None, None]
    return SongArrays(
        spectrogram=(level - 20 + 10 * rng.standard_normal((n_songs, 128, n_frames))).astype(np.float32),
        emotion=emotion,
        emotion_std=np.full((n_songs, 2), 0.2, dtype=np.float32),
        fold=np.zeros(n_songs, dtype=np.int8),
        song_id=np.arange(n_songs, dtype=np.int32),
        artist=[f"artist {i // 2}" for i in range(n_songs)],
        genre=["rock"] * n_songs,
        year=np.full(n_songs, 2014, dtype=np.int16),
    )


def quality(seed: int) -> dict:
    """The quality report of noise with a slow beat against noise, with intervals."""
    rng = np.random.default_rng(seed)
    beat = 6 * np.sin(np.arange(300) / 9)
    real = (-25 + beat + 8 * rng.standard_normal((30, 128, 300))).astype(np.float32)
    fake = (-24 + 0.5 * beat + 9 * rng.standard_normal((26, 128, 300))).astype(np.float32)
    reducer = ClipReducer()
    rows = reducer.references(real), reducer.predictions(fake)
    sides = {"training": reducer.embed(real[:12], "training"), "held_out": reducer.embed(real[12:], "held_out")}
    return quality_report(Evidence(*rows, reducer, reducer.statistics, **sides, confidence=0.95, n_resamples=40))


def ablation_report(folder: Path, kind: str) -> dict:
    """The report of a small ablation of random songs."""
    values = [
        "generator.generator_channels=8",
        "generator.group_norm_groups=1",
        "generator.discriminator_channels=4",
        "gan_training.steps=3",
        "gan_training.batch_size=4",
        "flow.n_components=16",
        "flow.width=16",
        "flow.depth=1",
        "flow.n_heads=1",
        "flow_training.steps=3",
        "flow_training.batch_size=4",
        "recogniser.patch_size=[16, 16]",
        "recogniser.hidden_size=16",
        "recogniser.num_hidden_layers=1",
        "recogniser.num_attention_heads=2",
        "recogniser.intermediate_size=16",
        "recogniser_training.steps=4",
        "recogniser_training.batch_size=4",
        "ablation.n_folds=2",
        "ablation.n_resamples=50",
        f"ablation.generator={kind}",
        "ablation.arms=[real, noise, synthetic, synthetic_shuffled, real_longer]",
        "ablation.baselines=[mean, artist, ridge, svr, kernel]",
    ]
    ablation = Ablation(load_configuration(None, values), random_songs(), folder, Accelerator())
    run_ablation(ablation)
    return build_report(ablation, {"name": "random", "procedural": True}, "command")


def plain(value):
    """As JSON has it, without what changes from run to run."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if key not in CHANGING}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def check(name: str, made, store: bool, tolerance: float) -> None:
    path = FIXTURES / f"{name}.json"
    made = json.loads(json.dumps(plain(made)))
    if store:
        path.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
    compare(made, json.loads(path.read_text()), tolerance, name)


def compare(made, stored, tolerance: float, where: str) -> None:
    """Keys, texts and whole numbers alike, other numbers within a tolerance."""
    if isinstance(stored, dict):
        assert made.keys() == stored.keys(), where
        for key in stored.keys() - set(UNSTABLE if where.startswith("ablation") else ()):
            loose = LOOSE.get(key, 0) if where.startswith("ablation") else 0
            compare(made[key], stored[key], max(tolerance, loose), f"{where}.{key}")
    elif isinstance(stored, list):
        assert len(made) == len(stored), where
        for index, pair in enumerate(zip(made, stored, strict=True)):
            compare(*pair, tolerance, f"{where}[{index}]")
    elif isinstance(stored, float):
        assert made == pytest.approx(stored, rel=tolerance, abs=tolerance, nan_ok=True), where
    elif isinstance(stored, str) and any(character.isdigit() for character in stored):
        assert isinstance(made, str), where  # a sentence with figures in it, which are compared where they stand alone
    else:
        assert made == stored, where


def test_the_packaged_models_answer_as_before(store):
    clips = packaged_clips()
    recogniser = MusemoViTForEmotionRegression.from_pretrained(embedded_checkpoint("recogniser")).eval()
    path = FIXTURES / "clips.npz"
    if store:
        np.savez_compressed(path, **{name: clip[0].astype(np.float16) for name, clip in clips.items()})
    with np.load(path) as stored:
        for name, clip in clips.items():
            difference = np.abs(clip[0] - stored[name].astype(np.float32))
            assert difference.mean() < TOLERANCE["clips"], name
        shown = {name: stored[name].astype(np.float32) for name in clips}
    predictions = {}
    for name, clip in shown.items():
        with torch.no_grad():
            spectrogram = ((torch.from_numpy(clip).clamp(-60, 40) + 10) / 50)[None, None]
            predictions[name] = recogniser(spectrogram=spectrogram).emotion[0].tolist()
    check("predictions", predictions, store, TOLERANCE["predictions"])


def test_the_quality_report_has_the_figures_it_had(store):
    check("quality", quality(0), store, TOLERANCE["quality"])


@pytest.mark.parametrize("kind", ["gan", "flow"])
def test_a_small_ablation_reports_what_it_did(kind, tmp_path, store):
    check(f"ablation_{kind}", ablation_report(tmp_path, kind), store, TOLERANCE["report"])
