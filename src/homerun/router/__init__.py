"""The data plane: carries users' requests to instances, and tells control the moment that it needs more of them.

A request's way: `server` accepts the connection, `protocol` parses the request into an `exchange`, `routes` finds the
revision, its `activator` asks the dispatcher for a slot (or lets the request wait), `upstream` sends it to the
instance and streams the answer back, `stats` counts it. Control speaks over `link`. There is no task per request:
bytes arrive, a few plain method calls later bytes leave. `http2` has the same two ends for those who speak HTTP/2.
"""
