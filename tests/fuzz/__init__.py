"""Parsers against input that nobody wrote on purpose."""
