"""Bytes into lines."""

from console.supervision.lines import LONGEST_LINE_BYTES, LineReader


def test_a_line_that_comes_in_pieces_is_one_line() -> None:
    reader = LineReader()

    assert reader.feed(b"one") == []
    assert reader.feed(b" two\nthr") == ["one two"]
    assert reader.feed(b"ee\n\n") == ["three", ""]


def test_a_letter_that_is_cut_between_two_pieces_is_whole() -> None:
    reader = LineReader()

    assert reader.feed("schön\n".encode()[:4]) == []
    assert reader.feed("schön\n".encode()[4:]) == ["schön"]


def test_bytes_that_are_no_utf_8_are_shown_as_such() -> None:
    assert LineReader().feed(b"caf\xe9\n") == ["caf\N{REPLACEMENT CHARACTER}"]


def test_the_last_line_needs_no_end() -> None:
    reader = LineReader()
    reader.feed(b"first\nlast")

    assert reader.close() == ["last"]
    assert reader.close() == []


def test_of_a_line_that_was_drawn_over_the_last_state_is_shown() -> None:
    assert LineReader().feed(b" 10 %\r 90 %\r100 %\r\n") == ["100 %"]


def test_a_line_without_end_comes_in_pieces_of_bounded_size() -> None:
    reader = LineReader()
    endless = b"x" * (LONGEST_LINE_BYTES + 1)

    assert reader.feed(endless) == [endless.decode()]
    assert reader.close() == []
