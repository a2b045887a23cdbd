"""An append-only log without conflicts, one segment per connection."""
