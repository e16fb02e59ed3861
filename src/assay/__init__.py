"""An open market for machine-learning compute in which every result can be proven."""

__version__ = "0.1.0"
__all__ = ["__version__"]
