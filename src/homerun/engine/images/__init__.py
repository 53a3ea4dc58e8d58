"""Images: from a reference to unpacked layers on disk.

Fetching, verifying and unpacking are done by skopeo and containers/storage, the code under podman and CRI-O; this
package decides what to fetch, watches the unpacking, checks the outcome and explains what went wrong.
"""
