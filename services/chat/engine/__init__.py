"""The text side of chat, in plain Python; it knows no gRPC, no protobuf, no HTTP and no model.

Read `templates` (messages to prompts), `text` (token ids to text), `events` (what an answer is made
of), `reader` (a text that is still arriving), `reasoning` and `tool_calls`, in this order.
"""
