"""Distances between two sets of feature vectors.

Frechet distance, kernel distance (KID), and the figures read from nearest neighbours: precision, recall, density,
coverage and authenticity.
"""
