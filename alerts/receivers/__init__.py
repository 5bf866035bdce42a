"""Core. The ways to reach an owner, one file each."""
