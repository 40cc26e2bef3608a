"""Train the few-step flow, a drop-in replacement for the GAN's generator.

    accelerate launch training/train_flow.py --config training/configs/flow_10s.yaml --data-dir DEAM

Resumes from the last checkpoint in the output folder. The result is `generator/` with its `preprocessor_config.json`,
for `MusemoPipeline.from_pretrained`.
"""

from pathlib import Path

from musemo_hf.training.launch import parse_arguments, train_generator

if __name__ == "__main__":
    CONFIG = Path(__file__).parent / "configs" / "flow_10s.yaml"
    train_generator("flow", parse_arguments(__doc__, CONFIG, "runs/flow", "hold-out"))
