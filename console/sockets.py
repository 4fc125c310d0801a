"""Which process listens on a port, as far as /proc tells; on other systems nobody knows."""

from pathlib import Path

PROC = Path("/proc")

_LISTENING = "0A"
"""Source: Documentation/networking/proc_net_tcp.rst and include/net/tcp_states.h, TCP_LISTEN."""

SHOWN_CHARACTERS = 80
"""A command line is cut here."""


def holder(port: int) -> str | None:
    """Return who listens on the TCP port: `process 12 (python -m http.server)`; None if unknown."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for folder in PROC.glob("[0-9]*") if sockets else ():
        try:
            if any(str(link.readlink()) in sockets for link in (folder / "fd").iterdir()):
                return f"process {folder.name} ({_command(folder)})"
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return None


def _inodes(port: int) -> set[str]:
    """Return the inodes of the sockets that listen on the port."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            _, local, _, state, *_, inode = row.split()[:10]
            if state == _LISTENING and int(local.rpartition(":")[2], base=16) == port:
                found.add(inode)
    return found


def _command(folder: Path) -> str:
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    line = " ".join(words).strip()
    return line if len(line) <= SHOWN_CHARACTERS else line[:SHOWN_CHARACTERS] + "…"
