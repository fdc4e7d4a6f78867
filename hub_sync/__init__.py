"""Publishing a corpus to the Hugging Face Hub and reading it back."""
