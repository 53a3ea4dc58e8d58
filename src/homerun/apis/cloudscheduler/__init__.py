"""Cloud Scheduler API v1: schedules, which it calls jobs."""
