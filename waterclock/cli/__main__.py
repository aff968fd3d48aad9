"""`python -m waterclock.cli` is the command `waterclock`."""

from waterclock.cli import main

main()
