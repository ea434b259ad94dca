"""HSCNet (Li et al., CVPR 2020) and SCRNet: dense scene coordinates from one image, by regions or directly."""
