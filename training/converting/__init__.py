"""Checkpoints of others as ours, and ours as theirs: tensors are renamed and never touched."""
