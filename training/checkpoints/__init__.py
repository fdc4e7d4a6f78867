"""Models on disk: presets, starting weights, adapters, and which parts of a model learn."""
