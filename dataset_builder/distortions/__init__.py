"""Distortions, one file each; the file name is the name in recipes.

A module has a docstring with the physical model and its source, and:

- `NAME`: its word in `stages.wording.taxonomy`;
- `STILLS`: whether it can be applied to a single image;
- `apply(frames, shape, severity, rng)`: takes an iterator of [H, W, 3] uint8 RGB frames and gives one of as many
  frames of the same size. `shape` is a `dataset_builder.distort.Shape`, `severity` runs from 1 to 5, `rng` is a numpy
  Generator: the same arguments always give the same bytes.
"""
