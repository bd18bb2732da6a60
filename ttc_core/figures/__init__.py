"""Figures, one file each: `@figure("name") def info(tables) -> Info`. Its docstring's first line is its title.

A figure computes nothing but where its marks stand; `ttc_core.drawing` draws it, `ttc_core.export` writes it.
"""
