"""Runs containers. Knows images, instances and their exits; nothing of services, jobs or traffic."""
