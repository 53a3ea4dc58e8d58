"""The command line: a client of the public HTTP API like any other, one file for each verb.

It knows nothing of the daemon's insides: what it can do, `curl` can do. Nothing is imported before it is needed,
because a command line that takes half a second to say `--help` is not used.
"""


def main() -> None:
    from homerun.cli.app import run

    run()
