"""Moments of nonlinearities of Gaussian units that have known means beside their chance."""
