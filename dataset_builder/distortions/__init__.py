"""Distortions, one file each; the file name is the name in recipes.

A module has a docstring with the physical model and its source, and:

- `NAME`: its word in `stages.wording.taxonomy`;
- `STILLS`: whether it can be applied to a single image;
- `STEPS`: five mappings of parameters (numbers), severity 1 first;
- `apply(frames, shape, step, rng)`: takes an iterator of `dataset_builder.frame.Frame` and gives one of as many frames
  of the same size. `shape` is a `dataset_builder.distort.Shape`, `step` the parameters, `rng` a numpy Generator, of
  which only `integers`, `random`, `permutation` and `bytes` are used: their results are the same on every CPU. The same
  arguments always give the same bytes, so pixels are computed in integers, or looked up in tables.
- `probe(frames, clean)`: a physical measure of lists of frames, after and before, that rises with severity.
"""
