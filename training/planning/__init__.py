"""What a training run will be, known before any weights are read: its work, its memory, its time."""
