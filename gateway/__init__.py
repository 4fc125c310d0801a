"""The gateway: Envoy's bootstrap and scripts, and the front desk.

Read `endpoints`, `bootstrap`, `lua`, `frontdesk`, in this order.
"""
