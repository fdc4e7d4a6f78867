"""Training: stages one after the other, in one process or several, cut short and gone on with."""
