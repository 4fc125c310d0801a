"""What answers may consist of, where callers want more than words; llguidance does the work.

Read `texts` (free text that stops short of marks), `vocabulary` (tokens as llguidance reads them),
`notation` (how grammars are written), then what is written: `schemas` (with `subschemas` and
`references`), `lark`, `constraints`, `calls` (with `parameters`), `channels` and `answers`; then
`compiler` and `matcher`, `guiding` (what small models are held to unasked), and `grammars`, which
is the door.
"""

from services.chat.engine.grammars.grammars import Grammars

__all__ = ["Grammars"]
