"""Reconcilers: load what is, plan what should follow (pure), apply it. One for each kind, all with the same shape."""
