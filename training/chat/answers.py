"""Greedy answers of a model folder, through the engine and the grammars that serve it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from services.chat.config import ChatModelSettings
from services.chat.engine.conversation import Conversation, Tool
from services.chat.engine.decoder import open_decoder
from services.chat.engine.grammars import Grammars
from services.chat.engine.loop import Engine, Limits
from services.chat.engine.outputs import Delta, Finish
from services.chat.engine.request import Request, Sampling
from services.chat.engine.templates import prompts
from services.chat.engine.text.pieces import Pieces
from services.chat.engine.tool_calls.formats import FORMATS
from services.runtime.onnx import SessionOptions
from training.chat.dialogue import Dialogue

_MOST_TOKENS = 256
_ANY = Sampling(temperature=2.0, seed=1)
"""Rarely ends an answer, so that speed is measured over a long one."""


class FolderAnswers:
    """Answers as the chat service gives them with `guided_calls`, as `switchboard.toml` has it."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._prompts = prompts.read_prompts(folder)
        settings = ChatModelSettings(id=folder.name, folder=folder)
        decoder = open_decoder(settings, SessionOptions("cpu", threads))
        limits = Limits(
            context_tokens=decoder.runner.capacity_tokens,
            vocabulary=decoder.runner.vocabulary,
            eos=decoder.spec.eos,
            chunk_tokens=128,
        )
        self._grammars = Grammars(
            self._tokenizer,
            vocabulary=limits.vocabulary,
            eos=limits.eos,
            call_format=FORMATS["hermes"],
        )
        self._engine = Engine(decoder.runner, Pieces(self._tokenizer), limits)

    def answer(self, dialogues: Sequence[Dialogue]) -> list[str]:
        """Return the next turn of every dialogue."""
        jobs = [self._engine.add(self._request(each)) for each in dialogues]
        texts = {id(job): "" for job in jobs}
        while not self._engine.is_idle:
            for output in self._engine.step(now_s=0.0):
                if isinstance(output, Delta | Finish):
                    texts[id(output.job)] += output.text
        return [texts[id(job)] for job in jobs]

    def speed(self, dialogue: Dialogue) -> str:
        """Tell how soon one answer begins and how fast it goes on, alone."""
        request = replace(self._request(dialogue), max_tokens=200, sampling=_ANY)
        begun = time.perf_counter()
        self._engine.add(request)
        times = [begun]
        while not self._engine.is_idle:
            self._engine.step(now_s=0.0)
            times.append(time.perf_counter())
        rate = (len(times) - 2) / (times[-1] - times[1])
        return f"first token after {1000 * (times[1] - begun):.1f} ms, then {rate:.0f} tokens/s"

    def _request(self, dialogue: Dialogue) -> Request:
        text = self._prompts.write(
            [message.as_openai() for message in dialogue.messages],
            tools=list(dialogue.tools) or None,
        )
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        tools = tuple(_tool(each["function"]) for each in dialogue.tools)
        asked = Conversation([{"role": "user", "content": ""}], tools=tools)
        return Request(
            prompt=tuple(ids),
            sampling=Sampling(temperature=0.0),
            max_tokens=_MOST_TOKENS,
            grammar=self._grammars.of_conversation(asked, guides_calls=True),
        )


def _tool(function: Mapping[str, Any]) -> Tool:
    return Tool(function["name"], function.get("description"), function.get("parameters"))
