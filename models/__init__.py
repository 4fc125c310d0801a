"""The starter models that ship: how each is obtained and turned into ONNX, without torch."""
