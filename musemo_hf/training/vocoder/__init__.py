"""Training of a vocoder: log-mel to waveform, by spectral and adversarial losses."""
