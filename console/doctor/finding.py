"""What an examination finds, and how it is shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


class Verdict(Enum):
    """How something stands: a mark, and its style."""

    OK = ("✓", "green")
    """There."""
    ABSENT = ("-", "dim")
    """Not there, and the mesh does without."""
    MISSING = ("✗", "bold red")
    """Not there, and the mesh needs it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    """What it is."""
    verdict: Verdict
    """How it stands."""
    detail: str
    """What was seen."""
    remedy: str = ""
    """What to do; empty when nothing needs to be done."""


def findings_table(findings: Iterable[Finding]) -> RenderableType:
    """Show a line a finding, with what to do below it."""
    table = Table.grid(padding=(0, 2), pad_edge=True)
    for finding in findings:
        mark, style = finding.verdict.value
        table.add_row(Text(mark, style), Text(finding.subject, "bold"), Text(finding.detail))
        if finding.remedy:
            table.add_row("", "", Text(f"→ {finding.remedy}", "yellow"))
    return table
