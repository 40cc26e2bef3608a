"""The curve of an ablation: what synthetic songs add to few real songs, by the number of real songs.

`power.py` plans it, `curve.py` computes the figures, `picture.py` and `page.py` show them.
"""
