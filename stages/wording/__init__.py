"""The words: taxonomy, published prompts, their paraphrases and the templates of question-answer pairs."""
