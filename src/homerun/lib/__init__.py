"""What everything may use: errors, clocks, identifiers, timestamps. Pure: no I/O, no asyncio."""
