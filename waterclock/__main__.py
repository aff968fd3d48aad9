"""`python -m waterclock`."""

from waterclock.cli import main

main()
