"""Scanned by the registry: one file each."""
