"""The REST door of the chat service: OpenAI's JSON to and from the models.

Requests: read `body` (the whole of it), then its parts: `generation`, `formats`, `content`,
`messages`, `tools`, `tool_choice`, and `functions`; `mistakes` words what is wrong with them.

Answers: `served` (what a model gives), `envelope` and `logprobs`, then `choices` and
`chat_completion` (told at once), or `chunks`, `chat_chunks` and `stream` (told as they grow).

`legacy` is the older endpoint, `forms` what the two differ in, `door` brings all together.
"""

from services.chat.rest.door import ChatRest

__all__ = ["ChatRest"]
