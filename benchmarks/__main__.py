"""`python -m benchmarks`: what a real model takes on this host, its start, the virtual machine in parts, the RTL."""

from benchmarks import host, machine, rtl, start
from waterclock.cli.bench import bench


def main() -> None:
    for title, run in (
        ("SmolLM2-135M on the demonstrator", bench),
        ("The same beside onnxruntime", host.main),
        ("From the start of a process to its first token", start.main),
        ("Virtual machine", machine.main),
        ("RTL of tiny", rtl.main),
    ):
        print(f"\n{title}\n")
        run()


if __name__ == "__main__":
    main()
