"""The errors that Waterclock raises on purpose: the command line turns each into one clear line."""


class WaterclockError(Exception):
    """Something cannot be done; the message is one line that names what and where."""


class InputError(WaterclockError):
    """An input is not acceptable; the message names the file, the field and the value."""
