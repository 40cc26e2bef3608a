"""Training of a WaveGAN on the audio of songs."""
