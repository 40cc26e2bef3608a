r"""Calibrate a U-Net or a GAN on songs of its training: the predictions of a U-Net, then the emotion by a recogniser.

    python training/calibrate_generator.py runs/unet/generator runs/recogniser/recogniser \
        --config training/configs/unet_10s.yaml --data-dir DEAM --hold-out 1

Both must have been trained without the fold. The gains of a U-Net's predictions (see `prediction_gains`) are fitted to
training songs; a GAN has none. With `--fade-frames` a U-Net's clips begin as those songs do on average, most of which
fade in; a GAN's `fade_in` comes from its training (`gan_training.fade_frames`). Then the script generates clips of
training songs' emotions, and finds what has to be asked for so that clips are recognised as songs of the wanted emotion
are. It writes this map into the generator's config.json, and prints how requested and recognised emotion agree before
and after, on other clips, and how labels and recognised emotion of songs agree. The same is written to
`calibration.json` beside it.
"""

import json
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from musemo_hf import MusemoGanGenerator, MusemoUNetGenerator, MusemoViTForEmotionRegression
from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.generators import load_generator
from musemo_hf.runner.argument_types import real, whole
from musemo_hf.training.checkpoint import save_model
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import hold_out, load_songs
from musemo_hf.training.launch import generator_parser, of_kind
from musemo_hf.training.recogniser.emotion_calibration import calibrate
from musemo_hf.training.unet.fade_fit import fit_fade_in
from musemo_hf.training.unet.gain_fit import fit_gains


def main() -> None:
    """Calibrate, and write the result."""
    parser = generator_parser(__doc__, "The folder of a generator that was trained without the fold.")
    parser.add_argument("recogniser", type=Path, help="The folder of a recogniser that was trained without the fold.")
    parser.add_argument(
        "--n-clips", type=whole(2), default=256, help="The number of clips for the fit, and for the check."
    )
    parser.add_argument(
        "--n-songs", type=whole(0), default=64, help="The number of songs for the gains; 0 keeps the gains."
    )
    parser.add_argument(
        "--guidance",
        type=real(),
        help="The scale of guidance to calibrate a U-Net for, which becomes its default.",
    )
    parser.add_argument(
        "--fade-frames",
        type=whole(0),
        default=0,
        help="The number of first frames of a U-Net's clips to let fade in as songs do; 0 leaves them as they are.",
    )
    parser.add_argument("--bfloat16", action="store_true", help="Compute products in bfloat16, which is faster.")
    parser.add_argument("--seed", type=whole(0), default=0, help="The seed of the emotions and of the clips.")
    arguments = parser.parse_args()
    generator = of_kind(parser, load_generator(arguments.generator), MusemoUNetGenerator, MusemoGanGenerator)
    is_gan = isinstance(generator, MusemoGanGenerator)
    if is_gan and arguments.guidance is not None:
        parser.error(f"expected a U-Net with --guidance, got {arguments.generator}, a GAN, which is not guided")
    if is_gan and arguments.fade_frames:
        parser.error(
            f"expected a U-Net with --fade-frames, got {arguments.generator}, a GAN; train it with fade_frames"
        )
    configuration = load_configuration(arguments.config)
    songs = hold_out(load_songs(configuration.data, arguments.data_dir, Accelerator())[0], arguments.hold_out)
    if arguments.guidance is not None:
        generator.register_to_config(guidance_scale=arguments.guidance)
    recogniser = MusemoViTForEmotionRegression.from_pretrained(arguments.recogniser)
    clips = Clips.of_songs(songs)
    with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16):
        if arguments.n_songs and not is_gan:
            some = clips[torch.from_numpy(evenly_spaced(np.arange(len(clips)), arguments.n_songs))]
            gains = fit_gains(generator, some.spectrogram, some.emotion, arguments.seed)
            generator.register_to_config(prediction_gains=gains)
        if arguments.fade_frames:
            fade_in = fit_fade_in(generator, clips, arguments.fade_frames, arguments.n_clips, arguments.seed)
            generator.register_to_config(fade_in=fade_in)
        figures = calibrate(generator, recogniser, clips, songs.artist, arguments.n_clips, arguments.seed)
    save_model(generator, arguments.generator)
    atomic_write(arguments.generator / "calibration.json", json.dumps(figures, indent=1))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
