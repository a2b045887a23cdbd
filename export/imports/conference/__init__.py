"""The schedule of a conference, as JSON and as XML."""
