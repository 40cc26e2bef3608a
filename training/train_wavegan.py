"""Train a WaveGAN, which turns an emotion into a waveform, on the audio of songs.

    accelerate launch training/train_wavegan.py --data-dir DEAM --hold-out 0

Resumes from the last checkpoint in the output folder. The result is `generator/`, for
`MusemoWaveganGenerator.from_pretrained`. In the study it is the variant `wavegan`.
"""

from pathlib import Path

from musemo_hf.data.deam.waveforms import read_excerpts
from musemo_hf.data.demo_corpus import demo_corpus_dir
from musemo_hf.training.corpus import hold_out, load_songs
from musemo_hf.training.generators import save_generator
from musemo_hf.training.identity import origin_of
from musemo_hf.training.launch import finish, parse_arguments, start
from musemo_hf.training.wavegan.settings import WaveganConfiguration
from musemo_hf.training.wavegan.trainer import WaveganTrainer, as_int16

CONFIG = Path(__file__).parent / "configs" / "wavegan_small.yaml"


def main() -> None:
    """Read the songs, train, and save the averaged generator and the discriminator."""
    arguments = parse_arguments(__doc__, CONFIG, "runs/wavegan", "hold-out")
    configuration, accelerator = start(arguments, WaveganConfiguration())
    songs, _ = load_songs(configuration.data, arguments.data_dir, accelerator)
    learnt = hold_out(songs, arguments.hold_out)
    found = read_excerpts(learnt, arguments.data_dir or demo_corpus_dir(), configuration.data.config_name)
    trainer = WaveganTrainer(
        {**configuration.wavegan, "n_frames": songs.spectrogram.shape[-1]},
        configuration.wavegan_training,
        [as_int16(samples) for samples in found],
        learnt.emotion,
        arguments.output_dir,
        accelerator,
        origin=origin_of(learnt, configuration.data, arguments.hold_out),
    )
    generator = trainer.train(arguments.accept_other_hardware)
    if accelerator.is_main_process:
        folder = arguments.output_dir / "generator"
        save_generator(folder, generator, trainer.objects["discriminator"])
        print(f"generator: {folder}")
    del trainer
    finish(accelerator)


if __name__ == "__main__":
    main()
