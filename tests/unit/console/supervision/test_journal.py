"""Lines behind names."""

import io

from console.supervision.journal import Journal


class ClosedPipe(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_the_names_are_padded_so_that_the_lines_stand_below_each_other() -> None:
    stream = io.StringIO()
    journal = Journal(stream, ["a", "a-long-program"])

    journal.writer("a")("one")
    journal.writer("a-long-program")("two")
    journal.say("three")

    assert stream.getvalue().splitlines() == [
        "a              | one",
        "a-long-program | two",
        "switchboard    | three",
    ]


def test_each_name_has_its_colour_and_the_line_keeps_its_own() -> None:
    stream = io.StringIO()
    journal = Journal(stream, ["a", "b"], coloured=True)

    journal.writer("a")("one")
    journal.writer("b")("two")

    assert (
        stream.getvalue() == "\x1b[36ma           |\x1b[0m one\n\x1b[32mb           |\x1b[0m two\n"
    )


def test_a_stream_that_nobody_reads_is_told_once_and_harms_nobody() -> None:
    lost: list[str] = []
    journal = Journal(ClosedPipe(), ["a"], on_lost=lambda: lost.append("stream"))

    journal.writer("a")("one")
    journal.say("two")

    assert lost == ["stream"]
