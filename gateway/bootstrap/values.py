"""The wrapped values that Envoy's messages are made of."""

from datetime import timedelta
from typing import Any

from google.protobuf import any_pb2
from google.protobuf.message import Message


def packed(message: Message) -> any_pb2.Any:
    """Return the message as a typed extension config."""
    wrapper = any_pb2.Any()
    wrapper.Pack(message)
    return wrapper


def seconds(value: float) -> timedelta:
    """Return a duration."""
    return timedelta(seconds=value)


def wrapped(value: float) -> dict[str, Any]:
    """Return a value for a field that can be unset, such as UInt32Value or BoolValue."""
    return {"value": value}
