"""Whether two keyframes' own images agree with the poses, the camera and the depth that came with them."""
