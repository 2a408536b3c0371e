"""Dual functions of any elementwise function, integrated numerically."""
