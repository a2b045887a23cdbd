"""The front end over HTTP: status page, metrics, documents."""
