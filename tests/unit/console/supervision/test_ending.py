"""How the end of a process is told."""

import pytest

from console.supervision.program import Ending


@pytest.mark.parametrize(
    ("returncode", "text"),
    [
        (0, "exited with status 0"),
        (3, "exited with status 3"),
        (-9, "was ended by SIGKILL"),
        (-40, "was ended by signal 40"),
    ],
)
def test_an_ending_is_told_in_words(returncode: int, text: str) -> None:
    assert str(Ending(returncode)) == text
