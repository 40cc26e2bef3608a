"""Reports of single models.

A generator or a recogniser measured on held-out songs, the sound of the presets, and what a generator was trained on.
"""
