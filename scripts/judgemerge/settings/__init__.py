"""The study file: read, checked, completed with defaults."""
