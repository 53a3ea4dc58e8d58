"""Cloud Logging, as far as reading goes: what instances wrote, found by Google's filter language."""
