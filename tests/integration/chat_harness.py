"""The chat service in this process: real server, real channel, tiny models."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from google.api.httpbody_pb2 import HttpBody
from prometheus_client import REGISTRY
from switchboard.chat.v1 import chat_pb2 as wire
from switchboard.chat.v1 import chat_pb2_grpc

from services.chat.__main__ import _doors
from services.chat.config import ChatModelSettings, ChatSettings
from services.chat.engine.decoder import needed_bytes
from services.chat.models.loading import load_model
from services.chat.models.model import ChatModel, Models
from services.runtime.config import GatewaySettings, Settings
from services.runtime.inspection import inspection_door
from services.runtime.loading import Loader
from services.runtime.server import Server, create_server
from tests.integration.harness import PATIENCE_S, openai_error, until
from tests.models.chat_folder import SHAPE

LONG = replace(SHAPE, context=8192)
"""A decoder whose answers may take seconds."""
ENDLESS = {"logit_bias": {"2": -100}}
"""Goes on to the end of the context: the token that ends answers of tiny models never comes."""

HELLO = [{"role": "user", "content": "Hello! How are you?"}]

Load = Callable[[ChatModelSettings], ChatModel]


@dataclass(frozen=True)
class Told:
    """What the REST door answered."""

    body: bytes
    content_type: str
    trailing: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        assert self.content_type == "application/json"
        return json.loads(self.body, parse_constant=_refuse)

    @property
    def events(self) -> list[Any]:
        """The data of a stream's events; the last one is told by `[DONE]`, and left out."""
        assert self.content_type == "text/event-stream"
        frames = self.body.decode().removesuffix("\n\n").split("\n\n")
        data = [frame.removeprefix("data: ") for frame in frames if not frame.startswith(":")]
        assert data[-1] == "[DONE]" or '"error"' in data[-1]
        ended = data[:-1] if data[-1] == "[DONE]" else data
        return [json.loads(each, parse_constant=_refuse) for each in ended]

    @property
    def texts(self) -> list[str]:
        """The content of each choice, told at once or as a stream."""
        if self.content_type == "application/json":
            return [_content(choice) for choice in self.json["choices"]]
        texts = dict[int, str]()
        for event in self.events:
            for choice in event["choices"]:
                texts.setdefault(choice["index"], "")
                texts[choice["index"]] += _content(choice)
        return [texts[index] for index in sorted(texts)]

    @property
    def text(self) -> str:
        (text,) = self.texts
        return text


@dataclass
class Running:
    """A server with a channel to it."""

    server: Server
    models: Models
    channel: grpc.aio.Channel
    address: str
    section: ChatSettings
    typed: Any = field(init=False)
    rest: Any = field(init=False)

    def __post_init__(self) -> None:
        self.typed = chat_pb2_grpc.ChatServiceStub(self.channel)
        self.rest = chat_pb2_grpc.ChatRestStub(self.channel)

    def through(self, channel: grpc.aio.Channel) -> "Running":
        """Return the same service as another connection sees it."""
        return replace(self, channel=channel)

    def ask(self, body: object = None, *, path: str = "chat", **more: Any) -> Any:
        """Start a call at the REST door, as the gateway does; fields beside the usual ones."""
        call = self.rest.CreateChatCompletion if path == "chat" else self.rest.CreateCompletion
        metadata = more.pop("metadata", ())
        usual = {"messages": HELLO} if path == "chat" else {"prompt": "Hello"}
        body = {"model": "tiny", **usual, **more} if body is None else body
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        message = HttpBody(content_type="application/json", data=data)
        return call(message, metadata=metadata, timeout=PATIENCE_S)

    async def post(self, body: object = None, *, path: str = "chat", **more: Any) -> Told:
        """Have a request answered at the REST door."""
        call = self.ask(body, path=path, **more)
        parts = [part async for part in call]
        trailing = dict(await call.trailing_metadata())
        return Told(b"".join(part.data for part in parts), parts[0].content_type, trailing)

    async def refusal(self, body: object = None, **more: Any) -> dict[str, Any]:
        """Return OpenAI's error object of a request that is refused before it is answered."""
        try:
            told = await self.post(body, **more)
        except grpc.aio.AioRpcError as error:
            return {"status": error.code().name, **openai_error(error)}
        raise AssertionError(f"it was answered: {told.body[:500]!r}")

    def create(self, **fields: Any) -> Any:
        """Start a call at the typed door."""
        return self.typed.CreateChatCompletion(
            wire.CreateChatCompletionRequest(**_asked(**fields)), timeout=PATIENCE_S
        )

    def stream(self, **fields: Any) -> Any:
        """Start a call at the typed door whose answer comes as it grows."""
        return self.typed.StreamChatCompletion(
            wire.StreamChatCompletionRequest(**_asked(**fields)), timeout=PATIENCE_S
        )

    @asynccontextmanager
    async def occupied(self, model: str = "tiny", slots: int = 1) -> AsyncIterator[None]:
        """Keep some slots of a `LONG` model busy while the context lasts."""
        calls = [self.ask(model=model, stream=True, **ENDLESS) for _ in range(slots)]
        for call in calls:
            await call.read()
        try:
            yield
        finally:
            for call in calls:
                call.cancel()

    def served(self, model: str = "tiny") -> ChatModel:
        served = self.models.find(model).served
        assert served is not None
        return served

    def engine(self, model: str = "tiny") -> Any:
        return self.served(model)._parts.thread._engine

    def busy(self, model: str = "tiny") -> float:
        """Return what the metric says of busy slots."""
        return REGISTRY.get_sample_value("switchboard_slots_busy", {"model": model}) or 0.0

    async def until_empty(self, model: str = "tiny") -> None:
        """Wait until nobody is left in the engine, and nothing of anybody anywhere."""
        thread = self.served(model)._parts.thread
        await until(lambda: thread._engine.is_idle and not self.busy(model))
        await until(lambda: not self.models.find(model).place.users)
        thread._engine.check_integrity()
        assert not thread._mailboxes
        assert not thread.answers
        assert not thread._meters._began_s
        assert not thread._meters._first_s
        assert not thread._engine._scheduler._lanes


@asynccontextmanager
async def serving(
    models: Sequence[ChatModelSettings], *, load: Load | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """Serve models on a free port, once those of the start are loaded or have failed."""
    section = ChatSettings(port=0, metrics_port=0, threads=1, models=tuple(models), **settings)
    mesh = Settings(chat=section, gateway=GatewaySettings(max_body_bytes=2**10))
    registry = Models("chat", section.models, mesh)
    server, port = create_server(section, [*_doors(registry), inspection_door(registry)])
    await server.start()

    async def on_change() -> None:
        await server.set_ready(registry.is_ready())

    loader = Loader(registry, load or partial(load_model, service=section), needed_bytes)
    loading = asyncio.create_task(loader.run(on_change))
    await until(lambda: not any(entry.place.is_starting for entry in registry.entries))
    address = f"127.0.0.1:{port}"
    large = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(address, options=large) as channel:
        try:
            yield Running(server, registry, channel, address, section)
        finally:
            await server.drain(0, 0)
            loading.cancel()
            with suppress(asyncio.CancelledError):
                await loading
            for entry in registry.entries:
                if entry.served is not None:
                    entry.served.close()


@dataclass(frozen=True)
class Hosted:
    """A service that several tests ask, one after the other."""

    running: Running
    _runner: asyncio.Runner

    def play(self, scenario: Callable[[Running], Awaitable[Any]]) -> Any:
        """Run a scenario to its end, with patience but not without end."""

        async def bounded() -> Any:
            return await asyncio.wait_for(scenario(self.running), 2 * PATIENCE_S)

        return self._runner.run(bounded())


@contextmanager
def hosting(models: Sequence[ChatModelSettings], **settings: Any) -> Iterator[Hosted]:
    """Serve models while the context lasts; its loop runs while a scenario is played."""
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        running = runner.run(stack.enter_async_context(serving(models, **settings)))
        try:
            yield Hosted(running, runner)
        finally:
            runner.run(stack.aclose())


def tiny(folder: Path, name: str = "tiny", **settings: Any) -> ChatModelSettings:
    return ChatModelSettings(id=name, folder=folder, provider="cpu", **settings)


def user(*texts: str) -> wire.Message:
    parts = [wire.ContentPart(text=text) for text in texts]
    return wire.Message(user=wire.UserMessage(content=parts))


def _asked(
    *,
    model: str = "tiny",
    messages: Sequence[wire.Message] | None = None,
    generation: wire.Generation | None = None,
    **conversation: Any,
) -> dict[str, Any]:
    said = [user(HELLO[0]["content"])] if messages is None else messages
    return {
        "model": model,
        "conversation": wire.Conversation(messages=said, **conversation),
        "generation": generation,
    }


def _content(choice: Mapping[str, Any]) -> str:
    said = choice.get("message") or choice.get("delta") or choice
    return said.get("content") or said.get("text") or ""


def _refuse(constant: str) -> float:
    raise AssertionError(f"JSON has no {constant}")
