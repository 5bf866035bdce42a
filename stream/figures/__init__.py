"""Core. The figures of a version over event-time windows, from exact sums."""
