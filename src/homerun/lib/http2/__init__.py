"""The layout of HTTP/2, for all who speak it: the router, and the probes of the engine."""
