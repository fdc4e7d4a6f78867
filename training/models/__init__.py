"""The model family: one mixin that merges motion, and a thin class for each backbone."""
