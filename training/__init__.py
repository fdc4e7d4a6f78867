"""The VQA² model, its data path, trainer and scoring. The only package that imports torch."""
