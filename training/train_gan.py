"""Train the emotion-conditioned generator.

    accelerate launch training/train_gan.py --config training/configs/deam_10s.yaml --data-dir DEAM

Resumes from the last checkpoint in the output folder. The result is `generator/` with its `preprocessor_config.json`
and its `discriminator/`, for `from_pretrained`.
"""

from pathlib import Path

from musemo_hf.training.launch import parse_arguments, train_generator

if __name__ == "__main__":
    CONFIG = Path(__file__).parent / "configs" / "demo.yaml"
    train_generator("gan", parse_arguments(__doc__, CONFIG, "runs/gan", "hold-out"))
