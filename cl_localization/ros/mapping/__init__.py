"""Parts of the mapper node: poses of the images, corrected poses, saving the map."""
