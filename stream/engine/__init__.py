"""Shell. The engine: Kafka records in, a fold per partition, records out, each counted exactly once.

It knows nothing of models or incidents. ``partition`` says what a fold is, ``driver`` is the batched Faust
transport, ``checkpoint`` keeps a fold's state in Kafka, ``app`` puts them together.
"""
