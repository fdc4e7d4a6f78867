"""What became of a corpus from one build to another: which samples differ, why, and what version step that is."""
