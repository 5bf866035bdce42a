"""Shell. What the worker is compared with: programs of their own that only fetch and decode.

Each prints one JSON object: how many records it decoded in how many seconds, after a warm-up.
"""
