"""`python -m gateway.bootstrap [--output FILE]`: writes the Envoy bootstrap of the settings."""

import argparse
import sys
from pathlib import Path

from gateway.bootstrap import render
from services.runtime import config


def main() -> None:
    """Write the bootstrap to a file or to stdout; exit with 2 when the settings are wrong."""
    parser = argparse.ArgumentParser(prog="python -m gateway.bootstrap", description=__doc__)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write here, not to stdout")
    arguments = parser.parse_args()
    try:
        text = render(config.load())
    except config.ConfigError as error:
        parser.exit(2, f"{error}\n")
    if arguments.output:
        arguments.output.write_text(text)
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
