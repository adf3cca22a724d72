"""The service: models over HTTP, requests of different adapters in one batch, and the client that talks to it."""
