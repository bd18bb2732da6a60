"""How the embedded family of tiny language models is made: problems, training, calibration, evaluation."""
