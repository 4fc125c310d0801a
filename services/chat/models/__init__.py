"""The chat models of this process: what both doors ask.

Read `answers` (what comes back), `mailbox` and `thread` (the engine's thread and who waits for it),
`prompting` (conversations to prompts and parsers), `model` (all together), `loading` (a folder to
a model).
"""
