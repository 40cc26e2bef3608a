"""Signal <-> log-mel, no learning."""
