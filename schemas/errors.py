"""The two ways in which a command fails on purpose. Anything else is a defect and shows a traceback."""


class CallError(ValueError):
    """The call is wrong: an unknown name, an unusable recipe, a missing folder. Exit code 2."""


class DataError(ValueError):
    """The data are wrong: a corpus that does not check, a clip that cannot be read. Exit code 1."""
