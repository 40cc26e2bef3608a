"""Feature spaces: clips to feature vectors.

The registry of embedders by versioned name, the modulation spaces, the feature groups of modulation-v3, and the
novelty curve of musical form.
"""
