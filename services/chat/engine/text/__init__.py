"""Token ids to text, as they come.

Read `pieces` (the bytes of a token), `stop_strings` (where a text ends), `stream` (both together),
in this order.
"""
