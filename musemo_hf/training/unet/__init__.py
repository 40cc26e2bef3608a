"""Training of the generator by flow matching with a U-Net.

The trainer, its settings, the augmentation of crops, and the pictures of a run.
"""
