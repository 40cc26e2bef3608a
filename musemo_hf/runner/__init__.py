"""Runs tasks: plain functions with dependencies, in this process, in several processes, or on a Ray cluster.

`task` says what a task is, `scheduler` runs a list of them on an engine of `engines` or `ray_engine`, `options` gives
scripts their command-line arguments, and `mapping` applies one function to many items.
"""
