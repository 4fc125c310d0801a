"""Texts that differ in length, language and script, made from what ships with the project."""

import random
from pathlib import Path

_UNUSUAL = [
    "a",
    "…",
    "Hello, world!",
    "HELLO WORLD",
    "naïve café façade — “quoted” text",
    "Die Würde des Menschen ist unantastbar.",
    "El rápido zorro marrón salta sobre el perro perezoso.",
    "我们去公园散步吧。",
    "今日はとてもいい天気ですね。",
    "Привет, как дела?",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "👩‍🚀🚀 to the 🌕 and back 🎉🎉",
    "def f(x):\n\treturn x ** 2  # square",
    "SELECT id, name FROM users WHERE age >= 21;",
    "https://example.com/path?query=value&other=%20",
    "3.14159 2,718.28 -1e-5 0xDEADBEEF",
    "   spaces   around   and\tbetween\n\n",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "[CLS] [SEP] [MASK] written out",
]


def varied_texts(count: int = 200) -> list[str]:
    """Return `count` texts of 1 to about 180 words, the same ones every time."""
    words = (Path(__file__).parents[2] / "LICENSE").read_text().split()
    randomly = random.Random(7)
    windows = []
    for _ in range(count - len(_UNUSUAL)):
        length = randomly.randint(2, 180)
        start = randomly.randrange(len(words) - length)
        windows.append(" ".join(words[start : start + length]))
    return _UNUSUAL + windows
