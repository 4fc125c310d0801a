"""Where a text ends: finds stop strings in a text that arrives in pieces."""

from collections.abc import Sequence


class StopStrings:
    """Lets through what can no longer become a stop string.

    The text ends where a stop string is complete for the first time, however it was cut into
    pieces; of two that are complete at once the longer one counts.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """Take the stop strings.

        Args:
            stops: Any number, none empty.
        """
        assert all(stops), "the doors refuse empty stop strings"
        self._matchers = [_Matcher(stop) for stop in stops]
        self._held = ""
        self.found: str | None = None
        """The stop string that ended the text."""

    def push(self, delta: str) -> str:
        """Return the text that is safe to show; after a stop string nothing is."""
        if not self._matchers:
            return delta
        if self.found is not None:
            return ""
        text = self._held + delta
        for place, character in enumerate(delta, len(self._held) + 1):
            for matcher in self._matchers:
                matcher.advance(character)
            whole = [matcher.stop for matcher in self._matchers if matcher.is_complete]
            if whole:
                self.found = max(whole, key=len)
                self._held = ""
                return text[: place - len(self.found)]
        safe = len(text) - max(matcher.length for matcher in self._matchers)
        self._held = text[safe:]
        return text[:safe]

    def finish(self) -> str:
        """Return what was held back: it became no stop string."""
        held, self._held = self._held, ""
        return held


class _Matcher:
    """How much of one stop string the end of the text is.

    Source: Knuth, Morris, Pratt 1977, "Fast pattern matching in strings"
    """

    def __init__(self, stop: str) -> None:
        self.stop = stop
        self.length = 0
        self._fallbacks = _fallbacks(stop)

    @property
    def is_complete(self) -> bool:
        return self.length == len(self.stop)

    def advance(self, character: str) -> None:
        while self.length and self.stop[self.length] != character:
            self.length = self._fallbacks[self.length]
        self.length += self.stop[self.length] == character


def _fallbacks(stop: str) -> list[int]:
    """Return, for each length of a prefix, that of the longest prefix that is also its end."""
    fallbacks = [0, 0]
    length = 0
    for character in stop[1:]:
        while length and stop[length] != character:
            length = fallbacks[length]
        length += stop[length] == character
        fallbacks.append(length)
    return fallbacks
