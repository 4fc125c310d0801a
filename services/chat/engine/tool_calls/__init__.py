"""Calls of tools in what models write, each family in its own way.

Read `shapes` (how calls are written, as data), `sink` (what is made of them), `content`,
`json_values`, then the grammars (`json_calls`, `mistral`, `llama`, `deepseek`, `tagged`,
`gpt_oss`), `parser` and `formats` (the registry), in this order.
"""
