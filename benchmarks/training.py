"""Training steps (one update of generator and of discriminator) a second against the published recipe written plainly.

Ours is measured in float32 and as it is used, in bfloat16, which pays on a GPU and on a CPU with AMX. With one thread
(OMP_NUM_THREADS=1) times are the process's own, so that other processes do not count.

python -m benchmarks training                            # speed, the defaults: about three minutes
python -m benchmarks.training --kid 200 --deam DIR       # and KID of real songs after 200 equal steps
"""

import argparse
import tempfile
from time import perf_counter, process_time

import torch
from accelerate import Accelerator

from benchmarks.straightforward import Straightforward
from benchmarks.timing import seconds, threads
from musemo_hf import MusemoGanConfig
from musemo_hf.audio.mel import denormalise
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.embedders import get_embedder, standardise
from musemo_hf.evaluation.kernel import kernel_distance
from musemo_hf.trainers.clips import Clips
from musemo_hf.trainers.configuration import DataSettings, GanTraining
from musemo_hf.trainers.corpus import hold_out, load_songs, select
from musemo_hf.trainers.gan import GanTrainer

# name: (generator channels, groups of the generator, discriminator channels)
WIDTHS = {"shipped small width": (32, 4, 16), "the same width": (256, 8, 64)}
BATCHES = {431: 4, 1292: 2}  # frames: clips a step, few enough for two minutes in all on two idle cores
PRECISIONS = {"float32": False, "bfloat16": True}
RATES = {"generator_lr": 4e-4, "discriminator_lr": 8e-4}  # of the small configuration, for few steps


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
        plain = Straightforward(clips.spectrogram, clips.emotion, batch_size, device=device)
        clock = process_time if device.type == "cpu" and torch.get_num_threads() == 1 else perf_counter
        steps = [trainer._iterate for trainer in trainers.values()]
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


def kid(deam, n_steps, batch_size=16):
    """KID against held-out artists of both after equal steps, ours at the small width."""
    songs, facts = load_songs(DataSettings(), deam, Accelerator())
    training, fold = Clips.of_songs(hold_out(songs, 0)), select(songs, (songs.fold == 0).nonzero()[0])
    space, emotion = get_embedder("modulation-v1"), torch.from_numpy(fold.emotion)
    real = space.embed(fold.spectrogram)
    made, taken = {}, {}
    for precision, bfloat16 in PRECISIONS.items():
        settings = {"steps": n_steps, "ema_decay": 0.99, "bfloat16": bfloat16, **RATES}
        with tempfile.TemporaryDirectory() as folder:
            trainer = ours(training, "shipped small width", folder, batch_size, **settings)
            start = perf_counter()
            generator = trainer.train()
            taken[f"ours, {precision}"] = perf_counter() - start
        parts = [generator.generate(part, seed=i).cpu() for i, part in enumerate(emotion.split(16))]
        made[f"ours, {precision}"] = torch.cat(parts)
    plain = Straightforward(
        training.spectrogram, training.emotion, batch_size, device="cuda" if torch.cuda.is_available() else "cpu"
    )
    start = perf_counter()
    for _ in range(n_steps):
        plain.step()
    taken["plain"], made["plain"] = perf_counter() - start, plain.generate(emotion)
    for name, clips in made.items():
        result = kernel_distance(*standardise(real, space.embed(denormalise(clips[:, 0].float()).numpy())))
        print(
            f"KID after {n_steps} steps of {batch_size}, {name}: {result.kid:.3f} (se {result.kid_se:.3f}), "
            f"{taken[name]:.0f} s; {facts['name']}, {len(fold)} songs of {len(set(artist_groups(fold.artist)))} "
            f"held-out artists"
        )


def main(repeats=1):
    speed(repeats)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kid", type=int, metavar="STEPS", help="also train both for so many steps and print KID")
    parser.add_argument("--deam", metavar="DIR", help="real songs for --kid; the procedural corpus where not given")
    arguments = parser.parse_args()
    speed()
    if arguments.kid:
        kid(arguments.deam, arguments.kid)
