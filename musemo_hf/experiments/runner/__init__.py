"""The task runner: plain functions with dependencies, run locally or on a Ray cluster.

Each task writes its result once; a run that was stopped goes on with the tasks that have no result.
"""
