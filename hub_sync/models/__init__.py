"""Publishing a model or adapter: the folder that `vqa2 train` writes, as a repository with a card."""
