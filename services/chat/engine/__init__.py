"""Chat in plain Python and NumPy: messages in, text out; it knows no gRPC, no protobuf, no HTTP.

The text side: read `templates` (messages to prompts), `text` (token ids to text), `events` (what an
answer is made of), `reader` (a text that is still arriving), `reasoning` and `tool_calls`.

The decoder: `request`, `sequence` and `slots` (the facts), `scheduler` (who goes next), `runner`
(what runs a decoder; `shared_cache` and `growing_cache` do), `sampler` (what chooses tokens;
`sampling` does on the host, `device_sampling` on a device), `prompt_scores`, and `loop`, which
brings all together. `folder`, `graph` (with `head` and `long_rope`) and `decoder` open a model.
"""
