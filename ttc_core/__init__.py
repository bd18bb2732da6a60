"""TTC Workbench: test-time compute in language models, to see, to measure, to compare and to publish."""

__version__ = "0.1.0"
