"""The description of the export for programs and people: schemas, OpenAPI, a page."""
