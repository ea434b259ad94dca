"""ACE (Brachmann et al., CVPR 2023): one small network per scene from features to scene coordinates, learned from poses
alone."""
