"""Shell. ``python -m stream`` is ``tidewatch``."""

from stream.cli import main

main()
