"""Identity: tokens of homerun's own issuer, the keys to check them with, and the IAM Credentials API."""
