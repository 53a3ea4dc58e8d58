"""Everything that can be killed, filled up or set back, at random moments under load; and whether anybody noticed."""
