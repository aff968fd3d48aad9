// Runs the chip and compares every change with the one that is due in its cycle. Behind the harness, one file with it.
#include <cstring>
#include <vector>

struct Shape { Word num_mem, num_words, lanes, num_mxm, num_holds, num_params, num_streams; };
// A change that is due: `value` is the first of its words in the pool. Watches are numbered through: MEM slices, MXM
// slices, hold registers, parameters, and one for results on streams.
struct Event { uint64_t cycle; Word watch, address, value, num_words; };
// Where the two part: how many changes were met, and the chip's own there, if it has any.
struct Difference { uint64_t num_met; Word watch, address, is_frozen, num_words, got[4096]; };

constexpr Word word_bits = 32;
static inline Word padded(Word bits) { return (bits + word_bits - 1) / word_bits; }
static inline bool bit(const Word* words, Word number) { return words[number / word_bits] >> number % word_bits & 1; }

class Lockstep {
public:
    Lockstep(Simulation& simulation, const Shape& shape, Word* mem, const Event* events, uint64_t num_events,
             const Word* pool, Difference& difference)
        : top(simulation.top), shape(shape), mem(mem), next(events), begin(events), end(events + num_events),
          pool(pool), difference(difference), holding((shape.num_holds + word_bits - 1) / word_bits, 0),
          registers{places_of_eastward(top), places_of_westward(top)} {}

    // Cycles until a difference, or all.
    uint64_t run(uint64_t cycles) {
        for (cycle = 0; cycle < cycles; ++cycle) {
            top.clk = 0;
            top.eval();
            if (!agrees()) return cycle;
            top.clk = 1;
            top.eval();
        }
        return cycles;
    }

private:
    V@top@& top;
    const Shape& shape;
    Word* mem;
    const Event *next, *begin, *end;
    const Word* pool;
    Difference& difference;
    std::vector<Word> holding;  // holds that took a value at the last edge
    const std::vector<const Word*> registers[2];  // of streams flowing east and west, by position
    uint64_t cycle = 0;

    bool agrees() {
        if (top.frozen) {
            difference.is_frozen = 1;
            return false;
        }
        Word watch = 0;
        if (!mem_agrees(watch) || !tiles_agree(watch) || !holds_agree(watch) || !params_agree(watch)) return false;
        while (is_due(watch))
            if (!stream_agrees()) return false;
        return !is_due_now() || differs(0, 0, nullptr, 0);
    }

    bool is_due_now() const { return next < end && next->cycle == cycle; }
    bool is_due(Word watch) const { return is_due_now() && next->watch == watch; }

    // A watch has changed: this must be the change that is due.
    bool changed(Word watch, Word address, const Word* value, Word num_words) {
        bool same = is_due(watch) && next->address == address && next->num_words == num_words &&
                    std::memcmp(value, pool + next->value, num_words * sizeof(Word)) == 0;
        if (!same) return differs(watch, address, value, num_words);
        ++next;
        return true;
    }

    bool differs(Word watch, Word address, const Word* value, Word num_words) {
        difference = {static_cast<uint64_t>(next - begin), watch, address, 0, num_words, {}};
        if (num_words) std::memcpy(difference.got, value, num_words * sizeof(Word));
        return false;
    }

    bool mem_agrees(Word& watch) {
        const Word lanes = shape.lanes, num_enables = padded(lanes * sizeof(Word)), stride = lanes + 1 + num_enables;
        Word ports[words_of_words_written];
        get_words_written(top, ports);
        for (Word slice = 0; slice < shape.num_mem; ++slice, ++watch) {
            const Word *data = ports + slice * stride, *enables = data + lanes + 1;
            Word any = 0;
            for (Word i = 0; i < num_enables; ++i) any |= enables[i];
            if (!any) continue;
            const Word address = data[lanes];
            if (address >= shape.num_words) return differs(watch, address, data, lanes);
            Word* word = mem + (static_cast<uint64_t>(slice) * shape.num_words + address) * lanes;
            for (Word byte = 0; byte < lanes * sizeof(Word); ++byte)
                if (bit(enables, byte)) reinterpret_cast<char*>(word)[byte] = reinterpret_cast<const char*>(data)[byte];
            if (!changed(watch, address, word, lanes)) return false;
        }
        return true;
    }

    bool tiles_agree(Word& watch) {
        const Word num_data = padded(shape.lanes * 8), stride = num_data + 3;
        Word ports[words_of_rows_written];
        get_rows_written(top, ports);
        for (Word slice = 0; slice < shape.num_mxm; ++slice, ++watch) {
            const Word* data = ports + slice * stride;
            if (!data[num_data + 2]) continue;
            if (!changed(watch, data[num_data] * shape.lanes + data[num_data + 1], data, num_data)) return false;
        }
        return true;
    }

    bool holds_agree(Word& watch) {
        Word ports[words_of_holds];
        get_holds(top, ports);
        for (Word hold = 0; hold < shape.num_holds; ++hold, ++watch)
            if (bit(holding.data(), hold) && !changed(watch, 0, ports + hold * shape.lanes, shape.lanes)) return false;
        get_hold_arrives(top, holding.data());
        return true;
    }

    bool params_agree(Word& watch) {
        Word ports[words_of_params], arrives[words_of_param_arrives];
        get_params(top, ports);
        get_param_arrives(top, arrives);
        for (Word param = 0; param < shape.num_params; ++param, ++watch)
            if (bit(arrives, param) && !changed(watch, 0, ports + param, 1)) return false;
        return true;
    }

    // A result on its stream, in each direction that it leaves in; the address is (x * num_streams + stream) * 4 + ways.
    bool stream_agrees() {
        const Word place = next->address / 4, x = place / shape.num_streams, stream = place % shape.num_streams;
        const std::size_t num_bytes = next->num_words * sizeof(Word);
        for (Word way = 0; way < 2; ++way) {
            const Word* held = registers[way][x] + stream * shape.lanes / sizeof(Word);
            if (next->address >> way & 1 && std::memcmp(held, pool + next->value, num_bytes) != 0)
                return differs(next->watch, next->address, held, next->num_words);
        }
        ++next;
        return true;
    }
};

extern "C" uint64_t lockstep(Simulation* simulation, const Shape* shape, Word* mem, const Event* events,
                             uint64_t num_events, const Word* pool, uint64_t cycles, Difference* difference) {
    return Lockstep(*simulation, *shape, mem, events, num_events, pool, *difference).run(cycles);
}
