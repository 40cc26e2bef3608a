"""Experiments made of many trainings.

`runner` runs their tasks on one machine or on a cluster; `ablation`, `study` and `metric_validation` are experiments,
each with its report; `model_reports` measures single models.
"""
