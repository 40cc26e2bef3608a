"""Training steps (one update of generator and of discriminator) a second against the published recipe written plainly.

Ours is measured in float32 and as it is used, in bfloat16, which pays on a GPU and on a CPU with AMX. With one thread
(OMP_NUM_THREADS=1) times are the process's own, so that other processes do not count.

python -m benchmarks training                            # speed, and the share of each part: about three minutes
python -m benchmarks.training --kid 100 --deam DIR       # instead, KID of real songs after 100 equal steps
"""

import argparse
import tempfile
from time import perf_counter, process_time

import torch
from accelerate import Accelerator

from benchmarks.baseline_gan import BaselineGan
from benchmarks.timing import seconds, threads
from musemo_hf import MusemoGanConfig
from musemo_hf.audio.mel import denormalise
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.distances.kernel import kernel_distance
from musemo_hf.evaluation.spaces.embedders import get_embedder, standardise
from musemo_hf.pipelines.generators import sample_clips
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import DataSettings, GanTraining
from musemo_hf.training.corpus import hold_out, load_songs, select
from musemo_hf.training.gan.step import PARTS
from musemo_hf.training.gan.trainer import GanTrainer

# name: (generator channels, groups of the generator, discriminator channels)
WIDTHS = {"shipped small width": (32, 4, 16), "the same width": (256, 8, 64)}
BATCHES = {431: 4, 1292: 2}  # frames: clips a step, few enough for two minutes in all on two idle cores
PRECISIONS = {"float32": False, "bfloat16": True}
RATES = {"generator_lr": 4e-4, "discriminator_lr": 8e-4}  # of the small configuration, for few steps
PUBLISHED_RATES = {"generator_lr": 2e-4, "discriminator_lr": 1e-4}


def random_clips(n_frames, count=8):
    generator = torch.Generator().manual_seed(0)
    return Clips(
        torch.rand(count, 1, 128, n_frames, generator=generator) * 2 - 1,
        torch.rand(count, 2, generator=generator) * 2 - 1,
    )


def ours(clips, width, folder, batch_size, **settings):
    channels, groups, discriminator_channels = WIDTHS[width]
    config = MusemoGanConfig(
        n_frames=clips.spectrogram.shape[-1],
        generator_channels=channels,
        group_norm_groups=groups,
        discriminator_channels=discriminator_channels,
    )
    # without the balance both networks update in every step, and no step is cheaper than one of the other
    training = GanTraining(batch_size=batch_size, balance=False, **settings)
    return GanTrainer(config, training, clips, folder, Accelerator())


def measured(n_frames, batch_size, widths=WIDTHS, repeats=1):
    """Seconds a step: of ours by (width, precision), and of the published recipe written plainly."""
    clips = random_clips(n_frames)
    with tempfile.TemporaryDirectory() as folder:
        trainers = {
            (width, precision): ours(clips, width, folder, batch_size, bfloat16=bfloat16)
            for width in widths
            for precision, bfloat16 in PRECISIONS.items()
        }
        device = next(iter(trainers.values())).parallel.device
        plain = BaselineGan(clips.spectrogram, clips.emotion, batch_size, device=device)
        clock = process_time if device.type == "cpu" and torch.get_num_threads() == 1 else perf_counter
        steps = [trainer.update for trainer in trainers.values()]
        *taken, theirs = seconds(*steps, plain.step, repeats=repeats, clock=clock)
    return dict(zip(trainers, taken, strict=True)), theirs, device


def speed(repeats=1):
    for n_frames, batch_size in BATCHES.items():
        taken, theirs, device = measured(n_frames, batch_size, repeats=repeats)
        for width, (channels, _, discriminator_channels) in WIDTHS.items():
            own = ", ".join(
                f"{1 / taken[width, precision]:.3g} in {precision} ({theirs / taken[width, precision]:.1f} x as fast)"
                for precision in PRECISIONS
            )
            print(
                f"training, 128 x {n_frames}, batch {batch_size}, {threads()}, {device}: steps a second with "
                f"{channels} and {discriminator_channels} channels ({width}): {own}; {1 / theirs:.3g} of the "
                "published recipe written plainly (256 and 64, float32)"
            )


def kid(deam, n_steps, batch_size=4, seeds=(0,)):
    """KID against held-out artists after a quarter, a half and all of `n_steps` equal steps of both recipes."""
    songs, facts = load_songs(DataSettings(), deam, Accelerator())
    training, fold = Clips.of_songs(hold_out(songs, 0)), select(songs, (songs.fold == 0).nonzero()[0])
    space, emotion = get_embedder("modulation-v1"), torch.from_numpy(fold.emotion)
    real = space.embed(fold.spectrogram)
    print(
        f"KID against {len(fold)} songs of {len(set(artist_groups(fold.artist)))} held-out artists, {facts['name']}, "
        f"after steps of {batch_size} clips, {threads()}:"
    )
    for seed in seeds:
        for name, (step, generate) in competitors(training, batch_size, n_steps, seed).items():
            found, start = [], perf_counter()
            for done in range(1, n_steps + 1):
                step()
                if done in (n_steps // 4, n_steps // 2, n_steps):
                    taken = perf_counter() - start
                    clips = denormalise(generate(emotion)[:, 0].float()).numpy()
                    result = kernel_distance(*standardise(real, space.embed(clips)))
                    found.append(f"{result.kid:.1f} (se {result.kid_se:.1f}) after {done} and {taken:.0f} s")
                    start = perf_counter() - taken
            print(f"{name}, seed {seed}: {', '.join(found)}", flush=True)


def competitors(clips, batch_size, n_steps, seed):
    """Of each by name: one step, and emotions -> clips."""

    def own(width, rates):
        # the average looks back over ten steps; over the usual hundreds it would still be the initial weights
        settings = {"steps": n_steps, "seed": seed, "ema_decay": 0.9, "bfloat16": True, **rates}
        trainer = ours(clips, width, tempfile.gettempdir(), batch_size, **settings)

        def step():
            trainer.update()
            trainer.step += 1

        def generate(emotion):
            return sample_clips(trainer.averaged_model, emotion, seed=0)

        return step, generate

    plain = BaselineGan(
        clips.spectrogram,
        clips.emotion,
        batch_size,
        device="cuda" if torch.cuda.is_available() else "cpu",
        seed=seed,
    )
    return {
        "ours, the same width, bfloat16": own("the same width", PUBLISHED_RATES),
        "ours, shipped small width, bfloat16": own("shipped small width", RATES),
        "the published recipe written plainly": (plain.step, plain.generate),
    }


def shares(n_frames=431, batch_size=4, n_steps=4, widths=WIDTHS):
    """Print the share of a step's time in each of its parts."""
    for width in widths:
        with tempfile.TemporaryDirectory() as folder:
            trainer = ours(random_clips(n_frames), width, folder, batch_size, bfloat16=True)
            trainer.update()
            with torch.profiler.profile() as profile:
                for _ in range(n_steps):
                    trainer.update()
        device = trainer.parallel.device.type
        total = {e.key: e.cpu_time_total if device == "cpu" else e.device_time_total for e in profile.key_averages()}
        parts = {name: total.get(name, 0.0) for name in PARTS}  # a part that a recipe has not takes no time
        printed = ", ".join(f"{name} {value / sum(parts.values()):.0%}" for name, value in parts.items())
        print(f"share of a step in bfloat16, 128 x {n_frames}, batch {batch_size}, {width}: {printed}")


def main(repeats=1):
    speed(repeats)
    shares()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kid", type=int, metavar="STEPS", help="train both and print KID, not speed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the trainings for --kid")
    parser.add_argument("--deam", metavar="DIR", help="real songs for --kid; the demonstration corpus where not given")
    arguments = parser.parse_args()
    if arguments.kid:
        kid(arguments.deam, arguments.kid, seeds=arguments.seeds)
    else:
        main()
