"""The typed door: protobuf to and from the models.

Read `conversations` (what is asked), `answers` (what is told), `door` (both together).
"""

from services.chat.rpc.door import ChatService

__all__ = ["ChatService"]
