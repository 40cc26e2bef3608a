"""Train the emotion-conditioned generator.

    accelerate launch training/train_gan.py --config training/configs/deam_10s.yaml --data-dir DEAM

Resumes from the last checkpoint in the output folder. The result is `generator/` with its `preprocessor_config.json`
and its `discriminator/`, for `from_pretrained`.
"""

from pathlib import Path

from musemo_hf import MusemoFeatureExtractor, MusemoGanConfig
from musemo_hf.experiments.model_reports.training import write_training_report
from musemo_hf.training.clips import Clips
from musemo_hf.training.corpus import hold_out, load_songs
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.launch import command, finish, parse_arguments, start

CONFIGS = Path(__file__).parent / "configs"


def main() -> None:
    """Train, and save generator, extractor and discriminator."""
    arguments = parse_arguments(__doc__, CONFIGS / "demo.yaml", "runs/gan")
    configuration, accelerator = start(arguments)
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    clips = Clips.of_songs(hold_out(songs, arguments.hold_out))
    n_frames = clips.spectrogram.shape[-1]
    config = MusemoGanConfig(n_frames=n_frames, **configuration.generator)
    trainer = GanTrainer(config, configuration.gan_training, clips, arguments.output_dir, accelerator)
    generator = trainer.train()
    if accelerator.is_main_process:
        folder = arguments.output_dir / "generator"
        generator.save_pretrained(folder)
        MusemoFeatureExtractor(n_frames=n_frames).save_pretrained(folder)
        accelerator.unwrap_model(trainer.discriminator).save_pretrained(folder / "discriminator")
        budget, seeds = arguments.config.stem, [configuration.gan_training.seed]
        write_training_report(folder, corpus, len(clips), budget, seeds, command())
        print(f"generator: {folder}")
    del trainer
    finish(accelerator)


if __name__ == "__main__":
    main()
