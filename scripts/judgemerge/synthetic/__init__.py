"""Everything invented: tasks, documents and models that are made on this machine."""
