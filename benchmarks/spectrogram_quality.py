"""The whole quality report at the published size: python -m benchmarks.spectrogram_quality [3200 [1395]]."""

import resource
import sys
import tempfile
from time import perf_counter, process_time

import evaluate
import numpy as np

from musemo_hf.metrics import metric_path

BATCH = 32
N_FRAMES = 1292


def walks(rng, n_clips):
    """Clips in dB that wander as music's do: AR(1) bands about a level; generated in batches, not kept."""
    for start in range(0, n_clips, BATCH):
        clips = rng.standard_normal((min(BATCH, n_clips - start), 128, N_FRAMES), dtype=np.float32)
        for frame in range(1, N_FRAMES):
            clips[..., frame] = 0.95 * clips[..., frame - 1] + 0.31 * clips[..., frame]
        yield 12 * clips + 8 * rng.standard_normal((len(clips), 128, 1), dtype=np.float32) - 15


def resident_mb():
    """Memory of this process now, and at its peak, MB."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[1]) * resource.getpagesize() / 2**20
    return now, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main(n_predictions=3200, n_references=1395):
    with tempfile.TemporaryDirectory() as cache:
        metric = evaluate.load(metric_path("spectrogram_quality"), cache_dir=cache)
        rng = np.random.default_rng(0)
        seconds, sizes, processor = {}, [], 0.0
        for side, n_clips in (("references", n_references), ("predictions", n_predictions)):
            seconds[side] = 0.0
            for clips in walks(rng, n_clips):
                start, ticks = perf_counter(), process_time()
                metric.add_batch(**{side: clips})
                seconds[side] += perf_counter() - start
                processor += process_time() - ticks
                sizes.append(resident_mb()[0])
        start, ticks = perf_counter(), process_time()
        metric.compute()
        seconds["compute"] = perf_counter() - start
        processor += process_time() - ticks
    spent = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    warm = len(sizes) // 4  # the allocator has then taken what batches of this size need
    per_clip = (sizes[-1] - sizes[warm]) * 2**10 / (BATCH * (len(sizes) - warm))
    print(
        f"spectrogram_quality, {n_predictions} against {n_references} clips of 128 x {N_FRAMES}: "
        f"{sum(seconds.values()):.1f} s ({spent}; {processor:.1f} s of processor time), "
        f"peak {resident_mb()[1]:.0f} MB, "
        f"resident memory grew by {per_clip:.2f} kB a clip over the last three quarters of the clips"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
