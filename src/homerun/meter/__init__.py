"""Usage samples -> billable seconds, requests and dollars."""
