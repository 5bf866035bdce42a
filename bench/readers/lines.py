"""Shell. Reads a file and decodes each line as JSON, nothing else; prints how many."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Run: FILE."""
    lines = 0
    with Path(sys.argv[1]).open("rb") as file:
        for line in file:
            json.loads(line)
            lines += 1
    sys.stdout.write(f"{lines}\n")


if __name__ == "__main__":
    main()
