"""Operands for the numerics tests: 32-bit patterns of every class, as int32 arrays, the same on every run."""

import numpy as np

EDGES = np.array(
    [
        0x00000000, 0x00000001, 0x00000002, 0x00012345, 0x00400000, 0x007FFFFE, 0x007FFFFF,  # zero, subnormals
        0x00800000, 0x00800001, 0x00FFFFFF, 0x01000000, 0x0C800000, 0x1F800000, 0x20000000,  # small normals
        0x32FFFFFF, 0x33000000, 0x33800000, 0x34000000, 0x3EFFFFFF, 0x3F000000, 0x3F000001,  # around 2^-24, 1/2
        0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x3FB504F3, 0x3FC00000, 0x3FFFFFFF, 0x40000000,  # around 1, 2
        0x40200000, 0x40490FDB, 0x42FBFFFF, 0x42FC0000, 0x42FC0001, 0x42FE0000, 0x42FF0000,  # ties, 126, 127, 127.5
        0x42FEFFFF, 0x42FFFFFF, 0x43000000, 0x43000001, 0x437F0000, 0x437F8000, 0x43800000,  # 128, 255, 255.5, 256
        0x4AFFFFFF, 0x4B000000, 0x4B7FFFFF, 0x4B800000, 0x4EFFFFFF, 0x4F000000, 0x4F000001,  # 2^23, 2^24, 2^31
        0x7E7FFFFF, 0x7E800000, 0x7E800001, 0x7EFFFFFF, 0x7F000000, 0x7F7FFFFE, 0x7F7FFFFF,  # large normals
        0x7F800000, 0x7F800001, 0x7FA00000, 0x7FBFFFFF, 0x7FC00000, 0x7FC12345, 0x7FFFFFFF,  # inf, NaNs
    ],
    dtype=np.uint32,
)  # fmt: skip
SIGNED_EDGES = np.concatenate([EDGES, EDGES | np.uint32(1 << 31)]).view(np.int32)
NUM_RANDOM = 6_000


def unary_words() -> np.ndarray:
    """Edges and their neighbourhoods, all patterns, every exponent, ordinary numbers, ties of conversion and beside."""
    random = np.random.default_rng(20)
    neighbours = (SIGNED_EDGES[:, np.newaxis] + np.arange(-8, 9, dtype=np.int32)).ravel()
    anything = random.integers(-(2**31), 2**31, 16_000, dtype=np.int64).astype(np.int32)
    subnormals = random.integers(1, 2**23, 2_000, dtype=np.int32) | sign_bits(random, 2_000)
    ordinary = random.normal(scale=40.0, size=12_000).astype(np.float32).view(np.int32)
    halves = (np.arange(-2_000, 2_000, dtype=np.float32) / 2).view(np.int32)
    large = (random.uniform(-1.2, 1.2, 4_000) * 2.0**31).astype(np.float32).view(np.int32)
    integers = np.arange(-1_000, 1_000, dtype=np.int32)
    return np.concatenate([neighbours, anything, subnormals, ordinary, halves, large, integers, beside_ties()])


def beside_ties() -> np.ndarray:
    """Numbers half-way between two integers, each with any one bit of its significand changed."""
    ties = (np.arange(-300, 300, dtype=np.float32) + np.float32(0.5)).view(np.int32)
    return (ties[:, np.newaxis] ^ (1 << np.arange(23, dtype=np.int32))).ravel()


def binary_words() -> tuple[np.ndarray, np.ndarray]:
    """All pairs of edges, and random pairs that cancel, tie, underflow, overflow or are unrelated."""
    random = np.random.default_rng(21)
    pairs = [
        tuple(grid.ravel() for grid in np.meshgrid(SIGNED_EDGES, SIGNED_EDGES)),
        tuple(random.integers(-(2**31), 2**31, (2, 2 * NUM_RANDOM), dtype=np.int64).astype(np.int32)),
        tuple(random.normal(size=(2, NUM_RANDOM)).astype(np.float32).view(np.int32)),
        *(maker(random) for maker in (cancelling, tying, tiny_products, huge_products, tiny_sums)),
    ]
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def ternary_words() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A condition that is often 0, and any two words."""
    a, b = binary_words()
    condition = np.random.default_rng(22).permutation(a)
    return np.where(np.arange(len(a)) % 3 == 0, np.int32(0), condition), a, b


def operands(count: int) -> tuple[np.ndarray, ...]:
    """At least 40,000 vectors for an operation of one, two or three operands."""
    return (lambda: (unary_words(),), binary_words, ternary_words)[count - 1]()


def sign_bits(random: np.random.Generator, count: int) -> np.ndarray:
    return (random.integers(0, 2, count, dtype=np.int64) << 31).astype(np.int32)


def normals(random: np.random.Generator, lowest: int, highest: int, count: int = NUM_RANDOM) -> np.ndarray:
    """Random normal numbers with exponent fields in [lowest, highest]."""
    exponents = random.integers(lowest, highest + 1, count, dtype=np.int32) << 23
    return random.integers(0, 2**23, count, dtype=np.int32) | exponents | sign_bits(random, count)


def cancelling(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """b is -a or a but for a few units in the last place."""
    a = normals(random, 2, 253)
    return a, (a + random.integers(-4, 5, len(a), dtype=np.int32)) ^ sign_bits(random, len(a))


def tying(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sums whose exact value is often half-way between two numbers: b is one bit, about 24 places below a."""
    a = normals(random, 40, 250)
    exponent = ((a >> 23) & 255) - random.integers(22, 27, len(a), dtype=np.int32)
    return a, (exponent << 23) | (random.integers(0, 2, len(a), dtype=np.int32) << 22) | sign_bits(random, len(a))


def tiny_products(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Products within a few units of 2^-126, where flushing before and after rounding differ."""
    a = normals(random, 1, 126, 4 * NUM_RANDOM)
    b = (2.0**-126 / a.view(np.float32).astype(np.float64)).astype(np.float32).view(np.int32)
    return a, b + random.integers(-1, 2, len(a), dtype=np.int32)


def huge_products(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Products within a few units of 2^128."""
    a = normals(random, 128, 253)
    b = (2.0**128 / a.view(np.float32).astype(np.float64)).astype(np.float32).view(np.int32)
    return a, b + random.integers(-4, 3, len(a), dtype=np.int32)


def tiny_sums(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sums of numbers just above 2^-126, with subnormal results in plenty."""
    return normals(random, 0, 4), normals(random, 0, 4)
