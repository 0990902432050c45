"""Values to Block Kit, a module per surface. Pure: nothing here reads a row, a clock or a network."""
