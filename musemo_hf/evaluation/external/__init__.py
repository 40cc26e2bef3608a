"""Figures of generated sound in the space of a pretrained audio model, and of its musical structure.

The skill in an external space, detectability, and the distances of structural features. Features come from the caller:
nothing here reads a file or runs a model.
"""
