"""gpt-oss's channels, as a grammar: messages with a header each, of which the last is restrained.

Source: https://cookbook.openai.com/articles/openai-harmony
"""

from services.chat.engine.grammars.notation import Notation
from services.chat.engine.grammars.texts import text_without
from services.chat.engine.tool_calls.gpt_oss import CHANNEL, ENDS, MARKS, MESSAGE, START

_END = ENDS[0]


class ChannelNotation:
    """Writes messages; the first begins behind its `<|start|>assistant`."""

    def __init__(self, notation: Notation) -> None:
        """Take how texts are written."""
        self._notation = notation

    def thoughts(self) -> str:
        """Return what matches a message of thoughts, and where the next one begins."""
        return self._message("analysis")

    def words(self) -> str:
        """Return what matches thoughts and words that come before calls, in any order."""
        return f"({self._message('analysis')} | {self._message('commentary')})*"

    def final(self, content: str) -> str:
        """Return what matches the last message."""
        return f"{self._notation.literal(f'{CHANNEL}final{MESSAGE}')} {content}"

    def any_final(self) -> str:
        """Return what matches the last message with any content."""
        return self.final(f"/{text_without(MARKS)}/")

    def _message(self, channel: str) -> str:
        begin = self._notation.literal(f"{CHANNEL}{channel}{MESSAGE}")
        text = self._notation.text_until(_END, avoided=MARKS)
        return f"{begin} {text} {self._notation.literal(f'{START}assistant')}"
