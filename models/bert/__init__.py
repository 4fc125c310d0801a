"""BERT encoders: from Hugging Face safetensors to an ONNX graph of fused operators.

Source: Devlin et al. 2018, https://arxiv.org/abs/1810.04805
"""
