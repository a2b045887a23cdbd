"""Full export and verification of a target."""
