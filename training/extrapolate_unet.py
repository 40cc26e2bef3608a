r"""Improve a trained U-Net generator by extrapolation away from its own clips (Neon, Alemohammad et al. 2025).

    python training/extrapolate_unet.py runs/unet/generator --config training/configs/unet_10s.yaml --data-dir DEAM \
        --hold-out 1 --output-dir runs/unet_extrapolated

The generator makes a clip for each song of its training, a copy of it is trained on these clips for a few updates, and
its weights are moved by the same amount away from those of the copy. Give the configuration, the data and the fold that
the generator was trained with. A run that was stopped goes on from its folder. The result is `generator/`, which
`calibrate_generator.py` then calibrates. It takes about ten minutes of one core of a processor with AMX.
"""

from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator

from musemo_hf import MusemoUNetGenerator
from musemo_hf.pipelines.generators import load_generator
from musemo_hf.runner.argument_types import real, whole
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import hold_out, load_songs
from musemo_hf.training.generators import save_generator
from musemo_hf.training.launch import generator_parser, of_kind
from musemo_hf.training.unet.extrapolation import extrapolate, own_clips
from musemo_hf.training.unet.initial_weights import check_fold
from musemo_hf.training.unet.trainer import UNetTrainer


def main() -> None:
    """Make the clips, train the copy, and write the generator."""
    parser = generator_parser(__doc__, "The folder of a trained U-Net generator.")
    parser.add_argument("--output-dir", type=Path, default=Path("runs/unet_extrapolated"))
    parser.add_argument("--n-steps", type=whole(), default=10, help="The number of sampling steps of the clips.")
    parser.add_argument("--updates", type=whole(), default=400, help="The number of updates of the copy.")
    parser.add_argument("--lr", type=real(above=True), default=2e-4, help="The highest learning rate of the copy.")
    parser.add_argument("--weight", type=real(), default=1.0, help="How far to extrapolate; 0 changes nothing.")
    parser.add_argument("--seed", type=whole(0), default=0, help="The seed of the training of the copy.")
    arguments = parser.parse_args()
    generator = of_kind(parser, load_generator(arguments.generator), MusemoUNetGenerator)
    configuration = load_configuration(arguments.config)
    training, accelerator = configuration.unet_training, Accelerator()
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    check_fold(arguments.generator, corpus["name"], arguments.hold_out)
    generator.register_to_config(emotion_map=None, emotion_range=None)  # songs' emotions are what it learnt
    with torch.autocast("cpu", torch.bfloat16, enabled=training.bfloat16):
        clips, made_for = own_clips(
            generator,
            Clips.of_songs(hold_out(songs, arguments.hold_out)),
            arguments.n_steps,
            arguments.output_dir / "clips",
        )
    training = replace(
        training,
        initial=str(arguments.generator),
        steps=arguments.updates,
        seed=arguments.seed,
        epochs=None,
        seconds=None,
        lr=arguments.lr,
        warmup_steps=20,
        ema_decay=0.99,
        augmented_share=0.0,
        pictures=0,
    )
    shape = {**configuration.unet, "n_frames": clips.spectrogram.shape[-1]}
    trainer = UNetTrainer(shape, training, clips, arguments.output_dir / "copy", accelerator, False, made_for=made_for)
    extrapolate(generator, trainer.train(), arguments.weight)
    save_generator(arguments.output_dir / "generator", generator)
    print(f"generator: {arguments.output_dir / 'generator'}")


if __name__ == "__main__":
    main()
