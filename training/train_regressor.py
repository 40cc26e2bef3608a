"""Train the recogniser on real songs.

    accelerate launch training/train_regressor.py --config training/configs/deam_10s.yaml --data-dir DEAM

Resumes from the last checkpoint in the output folder. The result is `recogniser/` with its
`preprocessor_config.json`, for `from_pretrained`; with `--hold-out FOLD` the agreement on that fold is printed.
"""

from pathlib import Path

import torch

from musemo_hf import MusemoFeatureExtractor, MusemoViTConfig
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.concordance import concordance_report
from musemo_hf.trainers.clips import Clips
from musemo_hf.trainers.corpus import hold_out, load_songs, select
from musemo_hf.trainers.launch import parse_arguments, start
from musemo_hf.trainers.recogniser import RecogniserTrainer, predict

CONFIGS = Path(__file__).parent / "configs"


def main() -> None:
    """Train, save recogniser and extractor, and test on the fold held out."""
    arguments = parse_arguments(__doc__, CONFIGS / "demo.yaml", "runs/regressor")
    configuration, accelerator = start(arguments)
    songs, _ = load_songs(configuration.data, arguments.data_dir, accelerator)
    training_songs = hold_out(songs, arguments.hold_out)
    clips = Clips.of_songs(training_songs)
    n_frames = clips.spectrogram.shape[-1]
    config = MusemoViTConfig(n_frames=n_frames, **configuration.recogniser)
    trainer = RecogniserTrainer(
        config,
        configuration.recogniser_training,
        clips,
        arguments.output_dir,
        accelerator,
        label_deviation=torch.from_numpy(training_songs.emotion_std) if config.uncertainty else None,
    )
    model = trainer.train()
    if accelerator.is_main_process:
        folder = arguments.output_dir / "recogniser"
        model.save_pretrained(folder)
        MusemoFeatureExtractor(n_frames=n_frames).save_pretrained(folder)
        print(f"recogniser: {folder}")
        if arguments.hold_out is not None:
            test = select(songs, (songs.fold == arguments.hold_out).nonzero()[0])
            crops = configuration.recogniser_training.test_crops
            predicted = predict(model, Clips.of_songs(test).spectrogram, crops=crops)
            artists = artist_groups(test.artist)
            answer = concordance_report(predicted.numpy(), test.emotion, artists, confidence=0.95)
            print({name: answer[name] for name in ("n", "ccc", "ccc_interval", "ccc_mean", "ccc_mean_interval")})
    accelerator.end_training()


if __name__ == "__main__":
    main()
