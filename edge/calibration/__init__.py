"""The report of a calibration: figures, verdict, advice, pictures, one HTML file."""
