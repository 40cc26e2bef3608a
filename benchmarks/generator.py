"""Latency of one clip, 30 s at the default size of a GAN, 10 s of the packaged ones: python -m benchmarks generator."""

from unittest.mock import patch

import torch

from benchmarks.timing import CONDITIONS, quiet_and_busy, seconds, threads
from musemo_hf import MusemoFeatureExtractor, MusemoGanConfig, MusemoGanGenerator, MusemoPipeline, embedded_checkpoint
from musemo_hf.models.gan import PRESETS
from musemo_hf.models.unet import flow_sampling
from musemo_hf.pipelines.generators import load_generator

PACKAGED = (  # name, precision, numbers of sampling steps (None for a GAN)
    ("flow", torch.float32, (20, 8, 4, 2, 1)),
    ("flow", torch.bfloat16, (20, 8)),
    ("generator", torch.float32, (None,)),
)
REQUEST_POINT = (0.2, 0.1)
REQUEST = {"valence": REQUEST_POINT[0], "arousal": REQUEST_POINT[1], "seed": 0}


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
    for name, dtype, numbers in PACKAGED:
        pipe = MusemoPipeline.from_pretrained(embedded_checkpoint(name), torch_dtype=dtype)
        pipe.set_progress_bar_config(disable=True)
        for steps in numbers:
            options = REQUEST if steps is None else REQUEST | {"num_inference_steps": steps}
            ((quiet, busy),) = quiet_and_busy(lambda pipe=pipe, options=options: pipe(**options), repeats=3)
            label = f"{name}, {str(dtype).removeprefix('torch.')}"
            if steps is not None:
                label += f", {steps} step{'s' * (steps > 1)}"
            print(
                f"packaged {label}, one clip of 10 s with audio, {threads()}: {quiet:.2f} s, beside a busy core "
                f"{busy:.2f} s"
            )
    threads_over_clips()


def threads_over_clips():
    """Sampling by threads over the clips of a batch, against torch's own threads over each operation."""
    generator = load_generator(embedded_checkpoint("flow"))

    def sample():
        generator.generate([REQUEST_POINT], seed=0, num_inference_steps=4)

    def as_a_whole():
        with patch.object(flow_sampling, "predict_in_parts", lambda model, *batch: model.predict(*batch)):
            sample()

    pairs = quiet_and_busy(sample, as_a_whole, repeats=3)
    for condition, ours, theirs in zip(CONDITIONS, *pairs, strict=True):
        print(
            f"spectrogram of one clip in 4 steps, {threads()}, {condition}: {ours:.2f} s by threads over the clip with "
            f"and without guidance, {theirs:.2f} s by torch's own threads, ratio {theirs / ours:.1f}"
        )


if __name__ == "__main__":
    main()
