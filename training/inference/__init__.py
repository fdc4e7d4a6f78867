"""A trained model at work: scores of clips, and answers in words."""
