"""Train a vocoder of the project's own log-mels, a `MusemoVocoder`, on random crops of songs.

    accelerate launch training/train_vocoder.py --data-dir DEAM --hold-out 0 1
    accelerate launch training/train_vocoder.py --config training/configs/vocoder_gpu.yaml --songs SONGS

Resumes from the last checkpoint in the output folder. The result is `vocoder/`, for `musemo generate --vocoder` and
`training/measure_vocoder.py --vocoder`.
"""

import argparse
from pathlib import Path

from musemo_hf.runner.argument_types import whole
from musemo_hf.training.launch import OPTIONS, finish, start
from musemo_hf.training.vocoder.settings import VocoderConfiguration
from musemo_hf.training.vocoder.songs import MARGIN, SETTINGS, read_waveforms, song_files
from musemo_hf.training.vocoder.trainer import VocoderTrainer

CONFIG = Path(__file__).parent / "configs" / "vocoder_small.yaml"


def main() -> None:
    """Read the songs, train, and save the averaged vocoder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--config", type=Path, default=CONFIG, help="The YAML file that is merged over the defaults.")
    add("--data-dir", type=Path, help="The folder of DEAM.")
    add("--songs", type=Path, action="append", default=[], metavar="DIR", help="A folder of songs; may be repeated.")
    add("--output-dir", type=Path, default=Path("runs/vocoder"), help="The folder of the run, which is resumed.")
    what = "Override single values."
    add("--set", nargs="*", action="extend", default=[], metavar="SECTION.KEY=VALUE", help=what)
    what = "The artist-disjoint folds of DEAM that are left out of the training."
    add("--hold-out", type=whole(0), nargs="*", default=[], metavar="FOLD", help=what)
    for name in ("accept-other-hardware", "verbose"):
        add(f"--{name}", **OPTIONS[name])
    arguments = parser.parse_args()
    configuration, accelerator = start(arguments, VocoderConfiguration())
    training = configuration.vocoder_training
    shortest = (training.crop_frames + 2 * MARGIN) * SETTINGS.hop_length / SETTINGS.sampling_rate
    waveforms = read_waveforms(song_files(arguments.data_dir, arguments.hold_out, arguments.songs), shortest)
    origin = {"held_out_folds": arguments.hold_out}
    trainer = VocoderTrainer(
        configuration.vocoder, training, waveforms, arguments.output_dir, accelerator, origin=origin
    )
    vocoder = trainer.train(arguments.accept_other_hardware)
    if accelerator.is_main_process:
        folder = arguments.output_dir / "vocoder"
        vocoder.save_pretrained(folder)
        print(f"vocoder: {folder}")
    del trainer
    finish(accelerator)


if __name__ == "__main__":
    main()
