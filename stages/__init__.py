"""What each stage asks and answers: pure functions from records, annotations and pairs to samples.

Every module of this package is one stage; its file name is its name. What stages share lies in `stages.wording`.
"""
