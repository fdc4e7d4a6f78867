"""Sources, one file each; the file name is the name in recipes (see `table.py`)."""
