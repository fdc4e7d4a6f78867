"""Exporters, one file each; the file name is the name of the format (see `llava.py`)."""
