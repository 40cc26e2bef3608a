"""Recognisers compared out of fold: from log-mels alone, taught with external data, and with an external embedding.

Recipes, their predictions of each fold, and the report on them.
"""
