"""Streaming sessions: read, rendered to clips with their stalls, and brought into a corpus."""
