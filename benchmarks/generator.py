"""Latency of one 30 s clip at the default size: python -m benchmarks generator."""

from benchmarks.timing import seconds, threads
from musemo_hf import MusemoFeatureExtractor, MusemoGanConfig, MusemoGanGenerator, MusemoPipeline
from musemo_hf.models.gan import PRESETS


def main():
    for preset in PRESETS:
        config = MusemoGanConfig(preset=preset)
        generator = MusemoGanGenerator(config)
        pipe = MusemoPipeline(generator, MusemoFeatureExtractor(n_frames=config.n_frames))
        pipe.set_progress_bar_config(disable=True)
        spectrogram, song = seconds(
            lambda generator=generator: generator.generate([[0.8, 0.7]], seed=0),
            lambda pipe=pipe: pipe(valence=0.8, arousal=0.7, seed=0),
            repeats=3,
        )
        millions = sum(parameter.numel() for parameter in generator.parameters()) / 1e6
        print(
            f"generator, {preset}, {config.generator_channels} channels ({millions:.1f} M parameters), one clip of "
            f"128 x {config.n_frames} (30 s), {threads()}: spectrogram {spectrogram:.2f} s, with audio {song:.2f} s, "
            f"{30 / song:.1f} s of music a second"
        )


if __name__ == "__main__":
    main()
