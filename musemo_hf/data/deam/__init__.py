"""DEAM, the data set of songs annotated with valence and arousal.

The readers of its annotations, metadata and audio, the `datasets` builder `DeamSpectrograms`, and the evidence that
the labels of 2013 are swapped.
"""
