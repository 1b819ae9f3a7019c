"""From a network to images: an edit here changes samples."""
