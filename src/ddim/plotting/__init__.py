"""matplotlib in one place: the look of a figure, a canvas, grids of images, animations."""
