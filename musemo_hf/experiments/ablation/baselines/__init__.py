"""Baselines that the recogniser is compared with in the same folds.

Ridge, support vector and tree regression on log-mel statistics, kernel ridge regression, and a small convolutional
network (CNN).
"""
