"""Export: a study's tables, and figures as PDF, SVG, PNG, pgfplots, CSV, Markdown and LaTeX tables."""
