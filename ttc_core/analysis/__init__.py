"""Analysis: pure functions on arrays and frames; nothing here reads or writes anything."""
