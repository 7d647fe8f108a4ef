"""Two models compared by judges of their answers."""
