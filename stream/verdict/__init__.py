"""Core. May a version be promoted: two versions compared on what both served at the same time."""
