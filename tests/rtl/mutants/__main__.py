"""`python -m tests.rtl.mutants [SEED]`: hunt all mutants, tell of each on standard error, then print the tables."""

import sys

from tests.rtl.mutants.choice import SEED
from tests.rtl.mutants.run import run


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    for line in run(lambda text: print(text, file=sys.stderr, flush=True), seed).lines():
        print(line)


if __name__ == "__main__":
    main()
