"""Illegalities that are an operation more: one that takes what another has, or needs what is not there."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from tests.programs.parts import row_of
from tests.simulator.legal.addresses import SET, Addressed
from tests.simulator.legal.emit import program_of
from tests.simulator.legal.histories import WAYS, Key
from tests.simulator.legal.parts import Issue, Legal, Operation, Run
from tests.simulator.legal.planted import Planted, Rng
from tests.simulator.legal.staging import written_out_fits
from waterclock.chip import SliceKind
from waterclock.isa.program import Space
from waterclock.isa.record import OPERAND_NAMES, Direction, OperandKind
from waterclock.isa.table import INSTRUCTIONS, Width

NUM_TRIES = 80
UNDECLARED = 9


def _at(legal: Legal, operation: Operation, cycle: int | None = None) -> Planted:
    """What shows in the first issue of an operation."""
    program, _ = program_of(legal)
    return Planted(program, operation.queue, operation.offset if cycle is None else cycle)


def _beside(legal: Legal, operation: Operation) -> Legal | None:
    """The program with one more operation, if its queue has room for it."""
    here = [each for each in legal.operations if each.segment is operation.segment]
    same_queue = [each for each in here if each.queue is operation.queue]
    elsewhere = [each for each in legal.operations if each.queue is operation.queue and each not in same_queue]
    if elsewhere or not legal.histories.is_free(operation):
        return None
    added = replace(legal, operations=(*legal.operations, operation))
    written_out = operation.segment.num_written_out
    if not written_out_fits(operation.segment, [*same_queue, operation], here):
        return None
    if not operation.segment.loops:
        return added
    first, period = min(each.offset for each in (*same_queue, operation)), operation.segment.loops[-1][1]
    stages = [(each.offset - first) // period for each in (*same_queue, operation)]
    return added if max(stages) <= written_out else None


def _moves(rng: Rng, legal: Legal) -> Iterator[Operation]:
    """Operations of the VXM that would do no harm: each makes a value that nobody reads."""
    alus = [queue for queue in legal.chip.queues if queue.slice.kind is SliceKind.VXM]
    for _ in range(NUM_TRIES):
        like = legal.operations[int(rng.integers(len(legal.operations)))]
        row = row_of("vxm.move", a=(OperandKind.IMMEDIATE, 0, 0))
        stream = 4 * int(rng.integers(legal.chip.num_streams // 4))
        row["result"] = (stream, int(rng.choice([Direction.EAST, Direction.WEST])), 0, 1)
        offset = like.offset + int(rng.integers(0, 12))
        yield Operation(alus[int(rng.integers(len(alus)))], INSTRUCTIONS["vxm.move"], row, offset, like.segment)


def _first_of(*issues: Issue) -> Issue:
    return min(issues, key=_order)


def _order(issue: Issue) -> tuple[int, int]:
    return issue.cycle, issue.operation.queue.number


def nothing_there(rng: Rng, legal: Legal) -> Planted | None:
    """An operand comes from a stream that no result has reached."""
    for move in _moves(rng, legal):
        if not legal.histories.has_room(move):
            continue
        kind, stream = OperandKind(int(rng.choice(list(WAYS)))), 4 * int(rng.integers(legal.chip.num_streams // 4))
        move.row["a"] = (kind, stream, 0)
        places = [place for issue in move.issues() for _, each in legal.histories.reads(issue) for place in each]
        if any(legal.histories.found(place) is not None for place in places):
            continue
        added = _beside(legal, move)
        if added is not None:
            return _at(added, move)
    return None


def two_on_a_stream(rng: Rng, legal: Legal) -> Planted | None:
    """A second result arrives on the register of another, in the same cycle."""
    return _second_arrival(rng, legal, lambda one, move: _same_stream(one, move))


def two_in_a_hold(rng: Rng, legal: Legal) -> Planted | None:
    """A second result arrives in the hold register of another, in the same cycle."""
    return _second_arrival(rng, legal, lambda one, move: _same_hold(one, move))


def _same_stream(one: Operation, move: Operation) -> bool:
    move.row["result"]["stream"] = one.row["result"]["stream"]
    move.row["result"]["direction"] = one.row["result"]["direction"]
    return bool(one.row["result"]["direction"]) and one.result_width() is Width.WORD


def _same_hold(one: Operation, move: Operation) -> bool:
    move.row["result"] = (0, 0, one.row["result"]["hold"], 1)
    return bool(one.row["result"]["hold"])


def _second_arrival(rng: Rng, legal: Legal, aim: Callable[[Operation, Operation], bool]) -> Planted | None:
    results = [each for each in legal.operations if each.queue.slice.kind is SliceKind.VXM and each.result_width()]
    for move in _moves(rng, legal):
        if not results:
            return None
        one = results[int(rng.integers(len(results)))]
        move.offset, move.segment = one.offset + one.latency(legal.chip) - move.latency(legal.chip), one.segment
        if one.queue is move.queue or one.repeats or move.offset < 0 or not aim(one, move):
            continue
        added = _beside(legal, move)
        if added is not None:
            later = max(Issue(one, next(one.issues()).run), next(move.issues()), key=_order)
            return _at(added, later.operation)
    return None


def overwritten_on_its_way(rng: Rng, legal: Legal) -> Planted | None:
    """A value that is under way to a reader, and has been read before, is replaced by another one."""
    for move in _moves(rng, legal):
        move.row["result"]["discard"] = 0
        added = _beside(legal, move) if _aim(rng, legal, move) and _takes_all(legal, move) else None
        robbed = _robbed(legal, move) if added is not None else set[_Read]()
        if added is None or len({run for _, run, _ in robbed}) < move.num_issues:
            continue
        kept = {
            found
            for reader in legal.operations
            for (name, run), found in reader.found.items()
            if name in OPERAND_NAMES and (reader, run, name) not in robbed
        }
        if all(reader.found[name, run] in kept for reader, run, name in robbed):
            first = _first_of(*(Issue(reader, run) for reader, run, _ in robbed))
            return _at(added, first.operation, first.cycle)
    return None


_Read = tuple[Operation, Run, str]
"""A reader in a run, and its operand."""


def _robbed(legal: Legal, move: Operation) -> set[_Read]:
    """Whose operands would find what a move sends; nobody's where something repeats, for that is not looked at."""
    here = [each for each in legal.operations if each.segment is move.segment]
    if any(each.repeats for each in here):
        return set()
    return {
        (reader, run, name)
        for reader in here
        for (name, run), found in reader.found.items()
        if name in OPERAND_NAMES and found is not None and _is_between(legal, move, reader, name, run, found)
    }


def _aim(rng: Rng, legal: Legal, move: Operation) -> bool:
    """Let a move's result come where another's is under way to a reader or held for one, if there is such."""
    reads = [(reader, name, found.operation) for reader in legal.operations
             for (name, run), found in reader.found.items() if name in OPERAND_NAMES and found and not any(run)
             and found.operation.segment is reader.segment]  # fmt: skip
    if not reads:
        return False
    reader, name, one = reads[int(rng.integers(len(reads)))]
    move.segment, result = reader.segment, one.row["result"]
    if reader.row[name]["kind"] == OperandKind.HOLD:
        move.row["result"] = (0, 0, result["hold"], move.row["result"]["discard"])
        move.offset = reader.offset - move.latency(legal.chip) - int(rng.integers(4))
        return True
    kind = OperandKind(int(reader.row[name]["kind"]))
    move.row["result"]["stream"], move.row["result"]["direction"] = int(result["stream"]) // 4 * 4, WAYS[kind]
    passing = one.offset + one.latency(legal.chip) + abs(move.queue.slice.x - one.queue.slice.x)
    move.offset = passing - move.latency(legal.chip)
    return move.offset >= 0


def _takes_all(legal: Legal, move: Operation) -> bool:
    """Whether no other result arrives where this one does."""
    histories = legal.histories
    places = [place for issue in move.issues() for place in histories.writes(issue)]
    return all(place.at not in histories.by_key[place.key].at for place in places if place.key in histories.by_key)


def _is_between(legal: Legal, move: Operation, reader: Operation, name: str, run: Run, found: Issue) -> bool:
    """Whether what a move sends comes between a result and its reader, in the same run."""
    if len(run) != len(move.levels):
        return False
    mine = {place.key: place.at for place in legal.histories.writes(Issue(move, run))}
    sent = {place.key: place.at for place in legal.histories.writes(found)}
    for which, places in legal.histories.reads(Issue(reader, run)):
        if which == name and all(place.key in mine and place.key in sent for place in places):
            return all(sent[place.key] < mine[place.key] <= place.at for place in places)
    return False


def byte_for_a_word(rng: Rng, legal: Legal) -> Planted | None:
    """One byte of a 32-bit value that is under way to a reader is replaced."""
    for move in _moves(rng, legal):
        if not _aim(rng, legal, move) or move.row["result"]["hold"]:
            continue
        row = row_of("vxm.to_int8", a=(OperandKind.IMMEDIATE, 0, 0), result=move.row["result"])
        row["result"]["stream"] += rng.integers(Width.WORD.value)
        offset = move.offset + legal.chip.latency.vxm_simple - legal.chip.latency.vxm_convert
        narrow = Operation(move.queue, INSTRUCTIONS["vxm.to_int8"], row, offset, move.segment)
        added = _beside(legal, narrow) if _takes_all(legal, narrow) else None
        if added is None:
            continue
        mine = {place.key: place.at for issue in narrow.issues() for place in legal.histories.writes(issue)}
        mixed = [Issue(reader, run) for reader in legal.operations if reader.segment is narrow.segment
                 for (name, run), found in reader.found.items() if name in OPERAND_NAMES and found is not None
                 and _is_mixed(legal, mine, Issue(reader, run), name, found)]  # fmt: skip
        if mixed:
            first = _first_of(*mixed)
            return _at(added, first.operation, first.cycle)
    return None


def _is_mixed(legal: Legal, mine: Mapping[Key, int], reader: Issue, name: str, found: Issue) -> bool:
    """Whether what arrives in these places comes between a 32-bit result and its reader."""
    sent = {place.key: place.at for place in legal.histories.writes(found)}
    for which, places in legal.histories.reads(reader):
        if which == name and len(places) == Width.WORD.value:
            return any(sent[each.key] < mine[each.key] <= each.at for each in places if each.key in mine)
    return False


def bank_busy(rng: Rng, legal: Legal) -> Planted | None:
    """A tile's bank is asked for again before it has sensed."""
    addressed = Addressed(legal.chip, legal.objects)
    senses = [each for each in legal.operations if addressed.space(each) is Space.RERAM and not each.repeats]
    for move in _moves(rng, legal):
        if not senses:
            return None
        one = senses[int(rng.integers(len(senses)))]
        row = row_of("mxm.read_row", address=one.row["address"], result=move.row["result"])
        offset = one.offset + int(rng.integers(1, legal.chip.mxm.sense_cycles))
        read = Operation(one.queue, INSTRUCTIONS["mxm.read_row"], row, offset, one.segment, object=one.object)
        added = _beside(legal, read) if legal.histories.has_room(read) else None
        others = [each for each in legal.operations if each.queue is one.queue and each is not one
                  and addressed.space(each) is Space.RERAM]  # fmt: skip
        if added is not None and not others:
            return _at(added, read)
    return None


def parameter_unwritten(rng: Rng, legal: Legal) -> Planted | None:
    """An operand is a parameter that neither host nor launch writes, or one that there is not."""
    never_set = ("param", SET) not in legal.histories.by_key
    for move in _moves(rng, legal):
        move.row["a"] = (OperandKind.PARAM, SET if never_set else UNDECLARED, 0)
        added = _beside(legal, move) if legal.histories.has_room(move) else None
        if added is not None:
            return _at(added, move)
    return None
