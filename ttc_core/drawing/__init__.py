"""Drawing: what a figure is (`info`), how large and in which type (`presets`), and its two renderings."""
