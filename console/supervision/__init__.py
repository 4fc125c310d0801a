"""Keeps a set of local processes running and ends them in order; knows no model and no gateway.

Read `program`, `keeper`, `supervisor`, in this order.
"""
