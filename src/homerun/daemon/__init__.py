"""Wires everything and runs it: the only package that knows all layers."""
