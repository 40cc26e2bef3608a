"""An ablation on a real Ray cluster of two nodes, one of which is lost in mid-task."""

import contextlib
import json
import threading
import time

import psutil
import pytest
import torch
from accelerate import Accelerator

from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.report.report import build_report
from musemo_hf.experiments.ablation.tasks import ablation_tasks, run_ablation
from musemo_hf.runner.ray_engine import RayCluster
from musemo_hf.training.configuration import load_configuration

CORPUS = {"name": "noise", "procedural": True, "n_skipped": 0}
SETTINGS = [
    "generator.generator_channels=8",
    "generator.group_norm_groups=1",
    "generator.discriminator_channels=4",
    "gan_training.steps=2",
    "gan_training.batch_size=4",
    "recogniser.patch_size=[16, 16]",
    "recogniser.hidden_size=16",
    "recogniser.num_hidden_layers=1",
    "recogniser.num_attention_heads=2",
    "recogniser.intermediate_size=16",
    "recogniser_training.steps=10",
    "recogniser_training.batch_size=8",
    "ablation.n_folds=2",
    "ablation.n_resamples=50",
    "ablation.arms=[real, synthetic]",
    "ablation.baselines=[mean, cnn]",
]


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes of one core each, which belong to this test alone."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster

    # else the driver would look for 127.0.0.1 under the machine's outer address, which a sandbox may not reach
    monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "node_ip_address": "127.0.0.1"}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    cluster.add_node(**node)
    yield cluster
    cluster.shutdown()


def make(songs, folder) -> Ablation:
    return Ablation(load_configuration(None, SETTINGS), songs, folder, Accelerator())


def lose_a_node(cluster, run_dir, lost) -> None:
    """Remove the second node while one of its workers is in the middle of a task."""
    (node,) = cluster.worker_nodes
    raylet = node.all_processes["raylet"][0].process.pid
    while not lost:
        time.sleep(0.002)
        for path in run_dir.glob("locks/fold*/**/*.running"):
            with contextlib.suppress(OSError, psutil.NoSuchProcess):
                worker = psutil.Process(json.loads(path.read_text())["process"])
                if worker.ppid() != raylet:
                    continue
                worker.suspend()  # so that the task cannot end before its node does
                if path.is_file():
                    cluster.remove_node(node, allow_graceful=False)
                    worker.kill()  # a frozen process outlives its node
                    lost.append((path.relative_to(run_dir / "locks").with_suffix("").as_posix(), worker))
                    break
                worker.resume()


def test_a_node_is_lost_in_mid_task_and_the_report_is_that_of_one_process(songs, tmp_path, cluster, monkeypatch):
    ablation = make(songs, tmp_path / "ray")
    lost = []
    thread = threading.Thread(target=lose_a_node, args=(cluster, ablation.run_dir, lost), daemon=True)
    thread.start()
    outcome = run_ablation(ablation, RayCluster(cluster.address))
    thread.join(60)
    ((task, worker),) = lost
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert outcome.failed == outcome.skipped == {}
    assert sorted(outcome.computed) == sorted(each.name for each in ablation_tasks(ablation))  # each once, none lost
    assert task in outcome.computed
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the workers have
    try:
        run_ablation(make(songs, tmp_path / "local"))
        reports = [plain(build_report(make(songs, tmp_path / name), CORPUS, "")) for name in ("ray", "local")]
    finally:
        torch.set_num_threads(threads)
    assert json.dumps(reports[0], sort_keys=True) == json.dumps(reports[1], sort_keys=True)  # NaN included
    assert run_ablation(make(songs, tmp_path / "ray")).computed == []


def plain(value):
    """A report without its wall-clock times."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in ("seconds",)}
    return [plain(item) for item in value] if isinstance(value, list) else value
