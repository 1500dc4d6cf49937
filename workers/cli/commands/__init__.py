"""What the `mulberry` command does, one module a noun."""


class CommandError(RuntimeError):
    """A command that cannot be done; each line of the message is one problem and says what to do."""
