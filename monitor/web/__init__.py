"""The HTTP port: metrics, health, a status page, and the beginnings of the API."""
