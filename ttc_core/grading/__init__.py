"""From model text to answers, and from answers to right or wrong."""
