"""Statistics of agreement and of uncertainty.

The bootstrap over clips and artists, the concordance correlation coefficient (CCC), the comparison of arms, and the
coverage of prediction intervals.
"""
