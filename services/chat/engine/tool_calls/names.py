"""The names of tools, where nothing but their letters tells where they end."""

import re

from services.chat.engine.reader import MalformedError, Reader, Steps

LONGEST_NAME = 256
"""In characters; OpenAI allows 64, others more."""

_NAME = re.compile(r"[\w.:/-]*")


def read_name(reader: Reader) -> Steps[str]:
    """Read a name.

    Raises:
        MalformedError: There is none, or it is longer than names are.
    """
    name = yield from reader.run(_NAME, LONGEST_NAME)
    if not name:
        raise MalformedError
    return name
