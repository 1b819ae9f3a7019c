"""From images to numbers: feature spaces, FID, KID, precision and recall, and their intervals."""
