"""Messages to prompts, with the chat template that a model's folder brings.

Read `folder` (where templates come from), `sandbox` (what runs them), `conventions` (what each
wants), `messages`, `template`, `prompts`, in this order.
"""
