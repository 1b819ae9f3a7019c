"""From the files of a data set to uint8 arrays: an edit here changes images, and what follows."""
