"""What can go wrong, as far as a caller can tell it apart."""


class WaterclockError(Exception):
    """Anything that Waterclock refuses; its text is one line that says what, where and why."""


class InputError(WaterclockError):
    """The user's input is at fault; the text names the file, the field and the value."""
