"""Markers, folders of real data, and the rule on skips: a test may skip only for a reason in `ALLOWED_SKIPS`."""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("RAY_worker_niceness", "0")  # with Ray's 15 a worker gets nearly nothing beside another test
if "PYTEST_XDIST_WORKER" in os.environ:  # two workers on two cores: one thread each, or they fight
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # numba's cache is not safe beside another process: it can pair a signature of librosa's with the code of another,
    # and whoever loads that crashes or hangs. So each worker, and what it starts, has a cache of its own.
    cache = Path(__file__).parent.parent / ".pytest_cache" / "numba" / os.environ["PYTEST_XDIST_WORKER"]
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache))

ALLOWED_SKIPS = ("gpu:", "slow:", "deam:", "pretrained:")
FOLDERS = {"deam": "real DEAM files", "pretrained": "pretrained audio models"}  # marker and option -> what is in it


def pytest_addoption(parser):
    parser.addoption("--run-slow", action="store_true", help="also run the tests marked slow")
    parser.addoption("--reliability", action="store_true", help="run the tests marked reliability in their long form")
    parser.addoption("--store-fixtures", action="store_true", help="store the answers of tests/regression anew")
    for name, content in FOLDERS.items():
        folder = os.environ.get(f"MUSEMO_{name.upper()}") or None
        parser.addoption(f"--{name}", default=folder, metavar="DIR", help=f"folder of {content}")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.path.parent.name == "fuzz":  # each of these is one property of hypothesis
            edge = (item.module.__doc__ or item.module.__name__).split("\n")[0].rstrip(".")
            item.add_marker(pytest.mark.reliability(f"Fuzzing. {edge}", "an answer or one typed error"))
    if config.getoption("--reliability"):
        config.hook.pytest_deselected(items=[item for item in items if not item.get_closest_marker("reliability")])
        items[:] = [item for item in items if item.get_closest_marker("reliability")]
    for item in items:
        wanted = config.getoption("--run-slow") or (
            item.get_closest_marker("reliability") and config.getoption("--reliability")
        )
        if item.get_closest_marker("slow") and not wanted:
            item.add_marker(pytest.mark.skip(reason="slow: run with --run-slow"))
        for name, content in FOLDERS.items():
            if item.get_closest_marker(name) and not config.getoption(f"--{name}"):
                item.add_marker(pytest.mark.skip(reason=f"{name}: no folder of {content} was given"))
        if item.get_closest_marker("gpu") and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="gpu: no CUDA device"))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _skips(reporter) -> list[tuple[str, str]]:
    return [
        (report.nodeid, str(report.longrepr[2]).removeprefix("Skipped: ")) for report in reporter.getreports("skipped")
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    """Count the examples of a fuzzer, as the fixture `tally` counts the trials of other tests."""
    marker = item.get_closest_marker("reliability")
    if call.when == "call" and marker and hasattr(item, "hypothesis_statistics") and "tally" not in item.fixturenames:
        passing = sum(map(int, re.findall(r"(\d+) passing", item.hypothesis_statistics)))
        lost = [f"{item.name}: {call.excinfo.exconly()}"] if call.excinfo else []
        item.user_properties.append(("reliability", json.dumps([*marker.args, passing, lost])))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """End with the list of what was skipped, counted by kind; any other skip is named in red and fails the run."""
    skips = sorted(_skips(terminalreporter))
    forbidden = [(node, reason) for node, reason in skips if not reason.startswith(ALLOWED_SKIPS)]
    for node, reason in skips:
        terminalreporter.write_line(f"skipped: {node} ({reason})")
    for node, reason in forbidden:
        terminalreporter.write_line(f"FORBIDDEN SKIP {node} ({reason})", red=True)
    counts = {kind: sum(reason.startswith(kind) for _, reason in skips) for kind in ALLOWED_SKIPS}
    listed = ", ".join(f"{kind[:-1]} {count}" for kind, count in counts.items()) + f", other {len(forbidden)}"
    terminalreporter.write_line(f"skipped in all: {listed}")


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    if exitstatus == 0 and any(not reason.startswith(ALLOWED_SKIPS) for _, reason in _skips(reporter)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@dataclass
class Tally:
    """Counts the trials of one test by what became of them.

    Attributes:
        survived: The number of trials that ended as they should.
        lost: The trials that did not, each as a short text.
    """

    survived: int = 0
    lost: list[str] = field(default_factory=list)

    def __call__(self, survived: bool, what: str = "") -> bool:
        """Count one trial, and return whether it survived.

        Args:
            survived: Whether it ended as it should.
            what: What was tried, and what came of it; kept where it did not survive.
        """
        if survived:
            self.survived += 1
        else:
            self.lost.append(what)
        return survived

    @property
    def tried(self) -> int:
        """The number of trials."""
        return self.survived + len(self.lost)

    def assert_nothing_lost(self) -> None:
        """Fail with the first five losses where there are any, and where nothing was tried."""
        assert self.tried, "expected at least one trial, counted none"
        assert not self.lost, f"{len(self.lost)} of {self.tried} lost, such as: " + "; ".join(self.lost[:5])


@pytest.fixture
def long_form(request) -> bool:
    """Whether a test of reliability runs in its long form, as under `make reliability`."""
    return request.config.getoption("--reliability")


@pytest.fixture
def tally(request):
    """Counts the trials of a test marked `reliability("what is tried", "what survives")`; see `Tally`."""
    counted = Tally()
    yield counted
    tried, survives = request.node.get_closest_marker("reliability").args
    counts = json.dumps([tried, survives, counted.survived, counted.lost])
    request.node.user_properties.append(("reliability", counts))


@pytest.fixture(scope="session")
def deam_dir(request) -> Path:
    """The folder of real DEAM files; only tests marked `deam` may ask for it."""
    return Path(request.config.getoption("--deam")).resolve()


@pytest.fixture(scope="session")
def pretrained_dir(request) -> Path:
    """The folder of pretrained audio models; only tests marked `pretrained` may ask for it."""
    return Path(request.config.getoption("--pretrained")).resolve()


@pytest.fixture(scope="session")
def clips():
    """Clips of 32 frames in which the emotion can be heard: arousal is the level, valence the tilt over the bands."""
    import torch

    from musemo_hf.training.clips import Clips

    generator = torch.Generator().manual_seed(0)
    emotion = torch.rand(40, 2, generator=generator) * 2 - 1
    bands = torch.linspace(-1, 1, 128)[None, None, :, None]
    valence, arousal = emotion[:, 0].view(-1, 1, 1, 1), emotion[:, 1].view(-1, 1, 1, 1)
    noise = 0.1 * torch.randn(40, 1, 128, 32, generator=generator)
    return Clips((0.4 * arousal + 0.3 * valence * bands + noise).clamp(-1, 1), emotion)


@pytest.fixture
def recogniser_training():
    """`recogniser_training(**changes)`: eight updates, a checkpoint every three."""

    from musemo_hf.training.recogniser.settings import RecogniserTraining

    def make(**changes):
        return RecogniserTraining(**({"steps": 8, "batch_size": 8, "log_every": 1, "checkpoint_every": 3} | changes))

    return make


@pytest.fixture(scope="session")
def tiny_vocoder():
    """`tiny_vocoder(n_mels, sampling_rate, upsample_rates, **configuration)` -> a SpeechT5HifiGan that plays noise."""
    import torch
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    small = {"upsample_initial_channel": 32, "initializer_range": 0.2, "normalize_before": False}
    small |= {"resblock_kernel_sizes": [3, 7], "resblock_dilation_sizes": [[1, 3], [1, 3]]}

    def make(n_mels=128, sampling_rate=22050, upsample_rates=(8, 8, 4, 2), **changes):
        torch.manual_seed(0)
        sizes = {"model_in_dim": n_mels, "sampling_rate": sampling_rate, "upsample_rates": list(upsample_rates)}
        sizes["upsample_kernel_sizes"] = [2 * rate for rate in upsample_rates]
        return SpeechT5HifiGan(SpeechT5HifiGanConfig(**(small | sizes | changes))).eval()

    return make


@pytest.fixture(autouse=True)
def _no_outside_caches(tmp_path_factory, monkeypatch):
    """Nothing a test does lands in the caches of the machine that runs it."""
    monkeypatch.setenv("MUSEMO_CACHE", str(tmp_path_factory.getbasetemp() / "musemo-cache"))


@pytest.fixture(scope="session")
def small_songs():
    """`small_songs(fold, n_frames)`: songs that are not procedural, two by each artist, whose level is the arousal."""

    def make(fold: np.ndarray, n_frames: int):
        from musemo_hf.data.arrays import SongArrays

        n_songs, rng = len(fold), np.random.default_rng(0)
        emotion = rng.uniform(-1, 1, (n_songs, 2)).astype(np.float32)
        noise = rng.normal(-20, 10, (n_songs, 128, n_frames))
        return SongArrays(
            spectrogram=(20 * emotion[:, 1, None, None] + noise).astype(np.float32),
            emotion=emotion,
            emotion_std=np.zeros_like(emotion),
            fold=fold.astype(np.int8),
            song_id=np.arange(n_songs, dtype=np.int32),
            artist=[f"artist {i // 2}" for i in range(n_songs)],
            genre=[""] * n_songs,
            year=np.full(n_songs, 2014, dtype=np.int16),
        )

    return make
