"""Training iterations (one update of generator and of discriminator) a second: python -m benchmarks training."""

import tempfile

import torch
from accelerate import Accelerator

from benchmarks.timing import seconds, threads
from musemo_hf import MusemoGanConfig
from musemo_hf.models.gan import PRESETS
from musemo_hf.trainers.clips import Clips
from musemo_hf.trainers.configuration import GanTraining
from musemo_hf.trainers.gan import GanTrainer

N_FRAMES, CHANNELS, BATCH = 431, 64, 8


def main():
    generator = torch.Generator().manual_seed(0)
    clips = Clips(
        torch.rand(16, 1, 128, N_FRAMES, generator=generator) * 2 - 1, torch.rand(16, 2, generator=generator) * 2 - 1
    )
    for preset in PRESETS:
        config = MusemoGanConfig(
            preset=preset, n_frames=N_FRAMES, generator_channels=CHANNELS, discriminator_channels=CHANNELS // 4
        )
        with tempfile.TemporaryDirectory() as folder:
            # without the balance, both networks update in every iteration
            settings = GanTraining(batch_size=BATCH, balance=False)
            trainer = GanTrainer(config, settings, clips, folder, Accelerator())
            (taken,) = seconds(trainer._iterate, repeats=5)
        print(
            f"training, {preset}, 128 x {N_FRAMES}, batch {BATCH}, {CHANNELS} generator and {CHANNELS // 4} "
            f"discriminator channels, {threads()}, {trainer.parallel.device}: {1 / taken:.2f} iterations (generator "
            f"and discriminator) a second, {BATCH / taken:.1f} clips a second"
        )


if __name__ == "__main__":
    main()
