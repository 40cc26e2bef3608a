"""Train the generator by flow matching with a U-Net, a drop-in replacement for the GAN's generator and the flow.

    accelerate launch training/train_unet.py --config training/configs/unet_10s.yaml --data-dir DEAM

Resumes from the last checkpoint in the output folder, where `samples-01.png` and so on show what it makes after each
tenth of the run. The result is `generator/` with its `preprocessor_config.json`, for `MusemoPipeline.from_pretrained`.
"""

from pathlib import Path

from musemo_hf.training.launch import parse_arguments, train_generator

if __name__ == "__main__":
    CONFIG = Path(__file__).parent / "configs" / "unet_10s.yaml"
    train_generator("unet", parse_arguments(__doc__, CONFIG, "runs/unet", "hold-out"))
