"""Shell. ``make bench-detection``: how late harm is found and how often it is found where there is none.

Everything is seeded. ``docs/judging.md`` says what the figures mean and what is promised.
"""
