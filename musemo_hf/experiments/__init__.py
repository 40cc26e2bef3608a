"""Experiments made of many trainings: `ablation`, `study` and `metric_validation`, each with its report.

`musemo_hf.runner` runs their tasks. `model_reports` measures single models.
"""
