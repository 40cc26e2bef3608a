"""The ablation: does synthetic music help a recogniser on real songs?

The plan, the splits, the arms and the baselines; `report` writes the results. Everything learnt is learnt inside the
training part of a split.
"""
