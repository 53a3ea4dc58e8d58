"""HTTP/2 (RFC 9113), spoken with clients and with containers whose port is named `h2c`.

`connection` is the protocol itself, bytes in and bytes out, without a socket: `frames` has their layout, `hpack` the
compression of headers, `message` what the headers of a request or an answer must be, `stream` flow control. On it
stand `client`, a client's connection whose every stream is an exchange of its own, and `instance`, the connections to
a container over which the exchanges that it has slots for are multiplexed.
"""
