"""Torch modules: the reports' networks and our own."""
