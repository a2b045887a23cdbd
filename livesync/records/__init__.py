"""From changes to records: reduction, documents, MARCXML."""
