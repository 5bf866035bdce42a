"""Shell. The demo: a ride-hailing company whose model gets worse, its teams' receivers, and the verdict.

``fleet`` plays the company, ``receiver`` the teams, ``verdict`` compares what came with what was planned, ``run``
puts them around real processes on a real Kafka.
"""
