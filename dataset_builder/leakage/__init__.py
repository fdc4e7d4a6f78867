"""Finding clips of a benchmark, or of another split, among training clips by hashes of their pictures."""
