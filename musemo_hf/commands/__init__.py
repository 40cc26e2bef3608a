"""The commands of `musemo`: a module for each, with `HELP`, `add_arguments(parser)` and `run(args) -> exit status`.

Importing them loads nothing heavy; each imports what it needs when it runs.
"""
