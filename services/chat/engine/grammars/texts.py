"""Free text that stops short of certain marks, as regular expressions in Rust's syntax.

They are written without negation, as one class of characters repeated and a few exceptions:
llguidance sees at once that most tokens fit, which takes microseconds; with negation it would try
every token of the vocabulary, which takes milliseconds.

Source: https://github.com/guidance-ai/llguidance/blob/main/docs/optimizations.md (slicer);
https://docs.rs/regex/latest/regex/#syntax
"""

from collections.abc import Collection, Iterable

ANY_TEXT = "(?s:.*)"


def escaped(text: str) -> str:
    """Return what matches a text to the letter."""
    return "".join(f"\\x{{{ord(character):x}}}" for character in text)


def none_of(characters: Iterable[str]) -> str:
    """Return what matches one character that is not among these."""
    return f"[^{escaped(''.join(sorted(set(characters))))}]"


def text_without(marks: Collection[str], *, not_first: str = "") -> str:
    """Return what matches any text that holds none of the marks.

    A text is made of characters that begin no mark, and of beginnings of marks that break off. One
    that breaks off at the beginning of another mark, as in `<to<tool_call>`, starts over there.

    Args:
        marks: None begins with a character that another one, or itself, has further on.
        not_first: Characters that the text does not begin with; they begin no mark.
    """
    if not marks:
        return f"(?:{none_of(not_first)}{ANY_TEXT})?" if not_first else ANY_TEXT
    # What holds no mark holds none that goes on from there.
    marks = {mark for mark in marks if not any(mark[:n] in marks for n in range(1, len(mark)))}
    firsts = {mark[0] for mark in marks}
    assert not any(firsts & {*mark[1:]} for mark in marks), "a mark can begin within a mark"
    follow = _followers(marks)
    begun = f"(?:{'|'.join(map(escaped, sorted(follow, key=len, reverse=True)))})"
    broken = "|".join(
        escaped(beginning) + none_of(firsts | after) for beginning, after in follow.items()
    )
    text = f"(?:{none_of(firsts)}|{begun}*(?:{broken}))*{begun}*"
    if not not_first:
        return text
    return f"(?:(?:{none_of(firsts | {*not_first})}|{begun}*(?:{broken})){text}|{begun}*)"


def _followers(marks: Iterable[str]) -> dict[str, set[str]]:
    """Return every beginning of a mark, and the characters that go on with it."""
    follow = dict[str, set[str]]()
    for mark in marks:
        for length in range(1, len(mark)):
            follow.setdefault(mark[:length], set()).add(mark[length])
    return follow
