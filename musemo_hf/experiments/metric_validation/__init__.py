"""The validation of the quality report on real excerpts.

Excerpts degraded step by step, attacks on the metric, and the page `docs/metric-validation.md`.
"""
