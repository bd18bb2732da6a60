"""From model text to answers, and from answers to right or wrong."""

from ttc_core.grading.numeric import GRADER, canonical, extract, grade

__all__ = ["GRADER", "canonical", "extract", "grade"]
