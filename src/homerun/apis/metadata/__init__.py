"""The metadata server: what a container can ask about itself, and the tokens of its service account."""
