"""How good spectrograms and emotion predictions are: pure functions on numpy arrays.

Nothing here reads files, talks to the Hub or imports torch. Data flows from `spaces`, `distances` and `statistics`
through `surrogates` to `score`.
"""
