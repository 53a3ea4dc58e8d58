"""Secret Manager API v1: secrets, their versions, and who may read them."""
