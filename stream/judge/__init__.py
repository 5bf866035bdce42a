"""Core. The judge: evidence of harm against a frozen reference, with a promised rate of false pages.

``docs/judging.md`` says what is promised, with formulas and sources, and when it can't be kept.
"""
