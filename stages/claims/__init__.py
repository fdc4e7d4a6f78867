"""What a question-answer pair claims of a clip, and whether what is known of the clip bears it out."""
