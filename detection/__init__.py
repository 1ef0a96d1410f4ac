"""Frames in, boxes out: any YOLO export on ONNX Runtime."""
