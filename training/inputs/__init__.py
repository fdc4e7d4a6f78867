"""What the model reads: samples, conversations, clips, and the cache of what was computed of clips."""
