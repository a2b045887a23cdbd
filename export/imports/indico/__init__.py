"""An event in the answer of a live Indico."""
