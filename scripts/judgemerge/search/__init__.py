"""Settings and merge parameters chosen on development sets."""
