"""Exports read by other trainers' own loaders, each in an environment of its own: `make test-interop`."""
