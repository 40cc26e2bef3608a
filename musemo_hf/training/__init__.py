"""Training of all models.

`loop.py` is the training loop; `gan`, `flow`, `unet` and `recogniser` hold each model's training step. Checkpoints,
batches, configuration and data loading are shared.
"""
