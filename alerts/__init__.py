"""Core. The alerts side: findings become incidents, incidents become notifications that owners receive."""
