"""Settings -> Envoy bootstrap, built from typed messages and written as JSON.

Read `process`, `listener`, `filters`, `routes`, `clusters`, in this order. Nothing here assumes one
machine: where a service stands, its settings say.
"""

from google.protobuf import json_format

from gateway.bootstrap.process import process
from services.runtime.config import Settings

__all__ = ["render"]


def render(settings: Settings) -> str:
    """Return the bootstrap as JSON, for `envoy --config-path`.

    Raises:
        ConfigError: A setting that Envoy would not take.
    """
    return json_format.MessageToJson(process(settings), preserving_proto_field_name=True)
