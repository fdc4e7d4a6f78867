"""From experts' notes to question-answer pairs by a language model, with a ledger of all that it is asked."""
