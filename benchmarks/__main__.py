"""`python -m benchmarks`: what a real model takes on this host, then the virtual machine part by part, then the RTL."""

from benchmarks import machine, rtl
from waterclock.cli.bench import bench


def main() -> None:
    for title, run in (
        ("SmolLM2-135M on the demonstrator", bench), ("Virtual machine", machine.main), ("RTL of tiny", rtl.main),
    ):  # fmt: skip
        print(f"\n{title}\n")
        run()


if __name__ == "__main__":
    main()
