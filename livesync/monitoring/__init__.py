"""Ready-made hooks: Sentry, OpenTelemetry, and a webhook on completion."""
