"""DEAM, the data set of songs annotated with valence and arousal.

The readers of its annotations, metadata and audio, of emoMusic's labels, and the `datasets` builder
`DeamSpectrograms`.
"""
