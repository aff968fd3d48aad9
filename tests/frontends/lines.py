"""Generated lines of text that are hard on a tokenizer: the same lines for the same seed."""

import random

_VISIBLE = (
    "The quick brown fox isn't over the lazy dog's hill, we'll see: they've gone I'd say o'clock",
    "0 7 42 123 2024 3.14159 1,000,000 0x7F 1e-5 v2.0.1 ² ½ ٣٤ Ⅷ ১২",
    "😀 👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ 🤖🦾 ☃",
    "def f(x): return x**2 if(a&&b){ } => != #include <stdio.h> \\n a_b.c[0] </div> %s",
    "日本語 中文字符 한국어 水時計 、 。 「引用」 ﾊﾝｶｸ Ａ１",
    "naïve Grüße Привет مرحبا שלום हिन्दी ไทย é ǅ ﬁ Ω≈ç√∫",
    "<|im_start|> <|im_end|> <|endoftext|> <|im_ |> <file_sep>",
)
_SPACES = (" ", "  ", "   ", "\t", "\t\t", "\r\n", "\u00a0", "\u3000", "\u200b", "\u2028", "\x0b", " \t ", "\n\n")
_CONTROLS = ("\x00", "\x01", "\x04", "\x06", "\x14", "\x7f", "\ufeff", "\ufffd", "\U0010ffff")
_PIECES = (*(tuple(line.split(" ")) for line in _VISIBLE), _SPACES, _CONTROLS)


def generated_lines(count: int, seed: int) -> list[str]:
    """`count` lines of 1 to 24 pieces, most of them joined by a blank, some by nothing or odd whitespace."""
    rng = random.Random(seed)
    return ["".join(_piece(rng) for _ in range(rng.randint(1, 24))) for _ in range(count)]


def _piece(rng: random.Random) -> str:
    if rng.random() < 0.05:
        return chr(rng.choice([rng.randrange(0x20, 0xD800), rng.randrange(0xE000, 0x11_0000)]))
    return rng.choice(rng.choice(_PIECES)) + rng.choice(["", " ", " ", "  ", "\n"])
