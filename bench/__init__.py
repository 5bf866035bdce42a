"""Shell. The benchmark (``make bench``): how fast, how small and how quick to restart the stream worker is.

It looks at a worker from outside, as a process on a real Kafka; ``README.md`` here says how each figure is made.
"""
