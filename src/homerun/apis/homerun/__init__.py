"""Our own API beside Google's: what the daemon is, why it did what it did, what that cost, and builds from source."""
