"""The target: train.py (what agents edit), prepare.py (fixed), evaluate.py (the trusted scorer)."""
