"""Whether two programs, however they are timed and routed, compute the same."""

import numpy as np

from waterclock.isa.record import NUM_TERMS, OPERAND_NAMES, OperandKind
from waterclock.simulator.link.anatomy import STREAMS, Anatomy
from waterclock.simulator.link.linked import Ints, Linked, Longs

_FIELDS = ("op", "mask", "segment", "first", "emit", "unsigned", "sram", "param")
_TERM_FIELDS = ("used", "param", "shift", "stride", "mask")


def dataflow_equal(a: Linked, b: Linked) -> bool:
    """Whether two rebuilt programs of one chip have the same length and dataflow.

    The i-th issue of each queue must do the same to the same: equal operations, numbers and addresses, and producers
    that are the same issues of the same queues. Cycles, streams, hold registers and accumulator numbers may differ.
    """
    if a.length_cycles != b.length_cycles or len(a) != len(b):
        return False
    return bool(np.array_equal(_canonical(a), _canonical(b)))


def _canonical(linked: Linked) -> Longs:
    """[n, columns]: what each event does and to what, in the order of queues and then cycles."""
    order = np.lexsort((linked.cycle, linked.queue))
    rank = np.empty(len(linked) + 1, np.int64)
    rank[order] = np.arange(len(linked))
    rank[-1] = -1  # no producer
    producers: list[Ints] = [*linked.producer.T, *linked.param.T, linked.acc, linked.memory]
    columns = [linked.queue.astype(np.int64), *_operations(linked), *(rank[producer] for producer in producers)]
    return np.stack(columns, axis=1)[order]


def _operations(linked: Linked) -> list[Longs]:
    anatomy = Anatomy(linked)
    iteration = linked.iteration.astype(np.int64)
    step = linked.rows.record["scalar_step"].astype(np.int64)[linked.row]
    columns = [anatomy.field(name) for name in _FIELDS]
    columns.append(anatomy.field("scalar") + (step * iteration).sum(axis=1))
    bytes_found = bytes_of_results(anatomy, linked.producer)
    for place, name in enumerate(OPERAND_NAMES):
        columns += [*_operand(anatomy, name), bytes_found[:, place]]
    for name in ("address", "place"):
        columns += _address(anatomy, name, iteration)
    return columns


def _operand(anatomy: Anatomy, name: str) -> list[Longs]:
    """Kind (a value is a value, in a hold or on a stream), parameter and lane-xor."""
    kind, index = anatomy.field(name, "kind"), anatomy.field(name, "index")
    param = np.where(kind == OperandKind.PARAM, index, -1)
    is_value = np.isin(kind, (*STREAMS, OperandKind.HOLD))
    return [np.where(is_value, OperandKind.HOLD, kind), param, anatomy.field(name, "xor")]


def bytes_of_results(anatomy: Anatomy, producer: Ints) -> Longs:
    """[n, 3]: which byte of its producer's result each operand takes from its stream, or begins with; 0 elsewhere."""
    stream, found = anatomy.field("result", "stream"), np.zeros(producer.shape, np.int64)
    for place, name in enumerate(OPERAND_NAMES):
        on_stream = np.isin(anatomy.field(name, "kind"), STREAMS)
        found[:, place] = np.where(on_stream, anatomy.field(name, "index") - stream[producer[:, place]], 0)
    return found


def _address(anatomy: Anatomy, name: str, iteration: Longs) -> list[Longs]:
    stride = anatomy.events.rows.record[name]["stride"].astype(np.int64)[anatomy.events.row]
    columns = [anatomy.field(name, "base") + (stride * iteration).sum(axis=1)]
    for place in range(NUM_TERMS):
        columns += [anatomy.terms(name, field)[:, place] for field in _TERM_FIELDS]
        columns.append(anatomy.terms(name, "const")[:, place] + (anatomy.steps(name)[:, place] * iteration).sum(axis=1))
    return columns
