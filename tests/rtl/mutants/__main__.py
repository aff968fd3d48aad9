"""`python -m tests.rtl.mutants`: hunt all mutants, tell of each on standard error, then print the tables."""

import sys

from tests.rtl.mutants.run import run


def main() -> None:
    for line in run(lambda text: print(text, file=sys.stderr, flush=True)).lines():
        print(line)


if __name__ == "__main__":
    main()
