"""Training of the emotion recogniser.

The trainer and its settings, augmentation, masked pretraining, prediction, and the calibration of intervals.
"""
