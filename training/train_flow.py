"""Train the few-step flow, which takes the GAN's seat in the pipeline.

    accelerate launch training/train_flow.py --config training/configs/flow_10s.yaml --data-dir DEAM

Resumes from the last checkpoint in the output folder. The result is `generator/` with its `preprocessor_config.json`,
for `MusemoPipeline.from_pretrained`.
"""

from pathlib import Path

from musemo_hf import MusemoFeatureExtractor
from musemo_hf.experiments.model_reports.training import write_training_report
from musemo_hf.training.clips import Clips
from musemo_hf.training.corpus import hold_out, load_songs
from musemo_hf.training.flow.trainer import FlowTrainer
from musemo_hf.training.launch import command, finish, parse_arguments, start

CONFIGS = Path(__file__).parent / "configs"


def main() -> None:
    """Train, and save generator and extractor."""
    arguments = parse_arguments(__doc__, CONFIGS / "flow_10s.yaml", "runs/flow")
    configuration, accelerator = start(arguments)
    songs, corpus = load_songs(configuration.data, arguments.data_dir, accelerator)
    clips = Clips.of_songs(hold_out(songs, arguments.hold_out))
    n_frames = clips.spectrogram.shape[-1]
    config = {**configuration.flow, "n_frames": n_frames}
    trainer = FlowTrainer(config, configuration.flow_training, clips, arguments.output_dir, accelerator)
    generator = trainer.train()
    if accelerator.is_main_process:
        folder = arguments.output_dir / "generator"
        generator.save_pretrained(folder)
        MusemoFeatureExtractor(n_frames=n_frames).save_pretrained(folder)
        budget, seeds = arguments.config.stem, [configuration.flow_training.seed]
        write_training_report(folder, corpus, len(clips), budget, seeds, command())
        print(f"generator: {folder}")
    del trainer
    finish(accelerator)


if __name__ == "__main__":
    main()
