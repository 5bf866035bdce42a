"""Edge. The same core over event files, without Kafka: replay, replay diff, reference build."""
