"""Commands that change songs, and that make one song of several emotions."""
