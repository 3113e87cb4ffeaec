"""Reading: a model file and pictures -> answers. Needs numpy, OpenCV, Pillow and ONNX Runtime; never torch."""
