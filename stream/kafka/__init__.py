"""Shell. An embedded Apache Kafka: one real KRaft broker on loopback, for the demo and the tests."""
