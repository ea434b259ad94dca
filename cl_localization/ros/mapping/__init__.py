"""What the mapper node does besides mapping: poses of images, corrected poses, saving the map."""
