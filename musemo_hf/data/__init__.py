"""Data sets of songs with emotion labels.

The prepared arrays, artist-disjoint folds, packs, pseudo-labels and the demonstration corpus. DEAM itself is in
`data.deam`.
"""
