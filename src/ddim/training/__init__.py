"""One network from one recipe: an edit here changes weights."""
