"""Boxes in, people in mine metres out: floor, tracker, zones, anomalies."""
