"""The Perfetto trace, decoded by the published protocol buffers."""

from collections import defaultdict
from enum import IntEnum
from io import BytesIO

import pytest

from tests.simulator.trace.issues import Seen, expected
from waterclock.compiler.deployment import Deployment
from waterclock.simulator.link import link
from waterclock.simulator.trace import Timeline, perfetto, script, timeline, write_perfetto
from waterclock.simulator.trace.protobuf import varint

pb = pytest.importorskip(
    "perfetto.protos.perfetto.trace.perfetto_trace_pb2", reason="the package perfetto is not installed"
)

DESCRIPTOR_BY_FIELDS = {
    perfetto.Packet: "TracePacket",
    perfetto.Event: "TrackEvent",
    perfetto.Track: "TrackDescriptor",
    perfetto.Interned: "InternedData",
    perfetto.Annotation: "DebugAnnotation",
}


def decoded(line: Timeline):
    file = BytesIO()
    write_perfetto(file, line, "a model on a chip")
    return pb.Trace.FromString(file.getvalue())


def names_of(trace) -> tuple[dict[int, str], dict[int, str], dict[int, str]]:
    """Categories, names and annotations by their numbers; one packet names them all."""
    (data,) = [packet.interned_data for packet in trace.packet if packet.HasField("interned_data")]
    tables = (data.event_categories, data.event_names, data.debug_annotation_names)
    return tuple({entry.iid: entry.name for entry in table} for table in tables)


def slices_of(trace) -> dict[str, list[tuple[int, int, object]]]:
    """(begin, end, the event that begins) by name of the track; nothing may nest, and time never runs back."""
    tracks = {packet.track_descriptor.uuid: packet.track_descriptor.name
              for packet in trace.packet if packet.HasField("track_descriptor")}  # fmt: skip
    begun: dict[str, tuple[int, object]] = {}
    slices = defaultdict(list)
    now = 0
    for packet in trace.packet:
        if not packet.HasField("track_event"):
            continue
        assert packet.timestamp >= now
        now, event = packet.timestamp, packet.track_event
        track = tracks[event.track_uuid]
        if event.type == pb.TrackEvent.TYPE_SLICE_BEGIN:
            assert track not in begun
            assert packet.sequence_flags == pb.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
            begun[track] = now, event
        else:
            assert event.type == pb.TrackEvent.TYPE_SLICE_END
            began, event = begun.pop(track)
            slices[track].append((began, now, event))
    assert not begun
    return slices


def issues_in(trace) -> list[Seen]:
    categories, names, annotations = names_of(trace)
    found = []
    for queue, slices in slices_of(trace).items():
        for begin, end, event in slices if queue != "launches" else ():
            assert end == begin + 1
            operation = "".join(categories[iid] for iid in event.category_iids)
            mnemonic = names[event.name_iid].removesuffix(f" {operation}")
            notes = [(annotations[note.name_iid], note.uint_value) for note in event.debug_annotations]
            (entry, number), *repeats = notes
            assert entry == "entry"
            found.append(Seen(begin, queue, number, mnemonic, operation, tuple(repeats)))
    return sorted(found)


def assert_same(line: Timeline) -> None:
    found, issues = issues_in(decoded(line)), expected(line)
    assert len(issues) == line.num_issues > 100
    assert [seen._replace(operation="") for seen in found] == [seen._replace(operation="") for seen in issues]
    labelled = bool(line.launches[0].script.linked.program.labels)
    for seen, issue in zip(found, issues, strict=True):
        assert bool(seen.operation) == labelled and issue.operation in ("", seen.operation)


def test_the_slices_are_the_issues(line: Timeline) -> None:
    assert_same(line)


@pytest.mark.slow
def test_the_slices_of_a_token_of_smollm2(smollm2_deployment: Deployment) -> None:
    chip, (program,) = smollm2_deployment.chip, smollm2_deployment.programs.values()
    assert_same(timeline(chip, [script(link(program, chip))]))


def test_a_launch_is_a_slice_as_far_as_it_is_looked_at(line: Timeline) -> None:
    trace = decoded(line)
    names = names_of(trace)[1]
    launches = [(begin, end, names[event.name_iid]) for begin, end, event in slices_of(trace)["launches"]]
    gap = line.chip.launch_gap_cycles
    assert [begin for begin, _, _ in launches[1:]] == [end + gap for _, end, _ in launches[:-1]]
    assert (launches[0][0], launches[-1][1]) == (line.first_cycle, line.last_cycle + 1)
    assert [name for _, _, name in launches] == [launch.script.linked.program.name for launch in line.launches]


def test_there_is_a_track_for_each_queue_in_the_order_of_the_chip(line: Timeline) -> None:
    tracks = [packet.track_descriptor for packet in decoded(line).packet if packet.HasField("track_descriptor")]
    root, *children = tracks
    assert root.name == f"a model on a chip, 1 ns is 1 cycle of {line.chip.clock_mhz:,} MHz"
    assert root.child_ordering == pb.TrackDescriptor.EXPLICIT
    assert {track.parent_uuid for track in children} == {root.uuid}
    assert len({track.uuid for track in tracks}) == len(tracks)
    by_rank = sorted(children, key=lambda track: track.sibling_order_rank)
    assert [track.name for track in by_rank] == ["launches", *(queue.name for queue in line.chip.queues)]


def test_one_sequence_whose_state_is_cleared_before_it_is_used(line: Timeline) -> None:
    trace = decoded(line)
    assert {packet.trusted_packet_sequence_id for packet in trace.packet} == {perfetto.SEQUENCE}
    first = next(packet for packet in trace.packet if not packet.HasField("track_descriptor"))
    assert first.sequence_flags == pb.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
    assert first.HasField("interned_data")


def test_the_same_timeline_gives_the_same_bytes(line: Timeline) -> None:
    again = timeline(line.chip, [line.launches[0].script], 1)
    texts = [b"".join(perfetto.trace_packets(again, "title")) for _ in range(2)]
    assert texts[0] == texts[1]
    assert pb.Trace.FromString(texts[0]).SerializeToString(deterministic=True)


@pytest.mark.parametrize("fields", DESCRIPTOR_BY_FIELDS, ids=lambda fields: fields.__name__)
def test_field_numbers_are_the_published_ones(fields: type[IntEnum]) -> None:
    descriptor = getattr(pb, DESCRIPTOR_BY_FIELDS[fields]).DESCRIPTOR
    assert {field.name: field.value for field in fields} == {
        field.name: descriptor.fields_by_name[field.name.lower()].number for field in fields
    }


def test_values_are_the_published_ones() -> None:
    assert {value.name: value.value for value in perfetto.Type}.items() <= dict(pb.TrackEvent.Type.items()).items()
    flags = dict(pb.TracePacket.SequenceFlags.items())
    assert {flag.name: flag.value for flag in perfetto.Flags}.items() <= flags.items()
    assert perfetto.EXPLICIT == pb.TrackDescriptor.EXPLICIT
    assert pb.Trace.DESCRIPTOR.fields_by_name["packet"].number == perfetto.PACKET
    for message in (pb.EventName, pb.EventCategory, pb.DebugAnnotationName):
        assert [message.DESCRIPTOR.fields_by_name[name].number for name in ("iid", "name")] == [
            perfetto.IID, perfetto.NAME
        ]  # fmt: skip


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 16383, 16384, 2**32, 2**63])
def test_varints(value: int) -> None:
    packet = pb.TracePacket.FromString(varint(8 << 3) + varint(value))
    assert packet.timestamp == value
