"""The generated dashboard and what Prometheus, Alertmanager and Grafana are told."""
