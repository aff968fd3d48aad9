"""`python -m benchmarks`: what a real model takes on this host, then what the virtual machine takes part by part."""

from benchmarks import machine
from waterclock.cli.bench import bench


def main() -> None:
    for title, run in (("SmolLM2-135M on the demonstrator", bench), ("Virtual machine", machine.main)):
        print(f"\n{title}\n")
        run()


if __name__ == "__main__":
    main()
