"""Raw files and how they become items."""
