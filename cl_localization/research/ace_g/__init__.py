"""ACE-G (Bruns et al., ICCV 2025): one regressor for all scenes, whose memory of a scene is its map code.

Two forms share the cross-attention blocks. `codes` is the paper's: a fixed number of learned vectors a scene, which
every feature attends to. `sparse` is ours: a feature attends to the few codes of the grown map that the search proposes
for it.
"""
