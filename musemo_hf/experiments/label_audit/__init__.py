"""The evidence, from the files alone, that DEAM's static labels of 2013 have valence and arousal swapped.

`evidence.py` gathers it from DEAM and emoMusic, and `page.py` writes `docs/deam-labels.md` and its picture.
"""
