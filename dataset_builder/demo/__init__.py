"""The demo: the whole chain on real content, from clips to a scored model, by the same commands a user runs."""
