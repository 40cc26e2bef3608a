"""Signal to log-mel spectrogram and back, without any learning.

Decoding of files, the log-mel transform, its inversion, and the feature extractor that combines them. The folder is
self-contained, because it is pushed to the Hub as it stands.
"""
