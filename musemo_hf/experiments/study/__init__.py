"""The study of generators: which part of a generator's recipe helps?

The plan, the variants that are compared, and, in `report`, the table of results.
"""
