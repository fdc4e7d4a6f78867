"""How good a model is: on corpora, and on published test sets with their metrics."""
