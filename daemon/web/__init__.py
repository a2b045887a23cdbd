"""The front end over HTTP: console, export, metrics, health, documents."""
