"""Service Usage: every service of every project is enabled here; gcloud asks before it deploys."""
