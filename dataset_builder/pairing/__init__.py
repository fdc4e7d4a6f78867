"""Question-answer pairs of stage 3 from draft to corpus: drafted of notes, read from files, checked, chosen."""
