"""The front desk: tells which models and endpoints the mesh has, and how they are.

Read `__main__`, `directory`, `statuses`, in this order.
"""
