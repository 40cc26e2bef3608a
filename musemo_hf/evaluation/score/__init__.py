"""The quality report of a set of spectrograms.

The published composite score and its parts, the reference scale that tells what the score means, and the reference
set of real songs against which generated clips are measured.
"""
