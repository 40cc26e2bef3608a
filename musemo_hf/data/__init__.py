"""Data sets of songs with emotion labels.

The prepared arrays, artist-disjoint folds, packs, pseudo-labels and the procedural demo corpus. DEAM itself is in
`data.deam`.
"""
