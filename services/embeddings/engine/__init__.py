"""Texts to vectors, in plain Python and numpy; it knows no gRPC, no protobuf and no HTTP.

Read `request` (what can be asked), `folder` (what a model is), `tokens`, `encoder`, `pooling`,
`vectors`, in this order.
"""
