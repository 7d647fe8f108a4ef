"""What every stage uses: errors, files, logs, items, model folders."""
