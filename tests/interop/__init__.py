"""What other programs do with ours, with installs of gigabytes or in many minutes: `make test-interop`."""
