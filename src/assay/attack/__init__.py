"""Attacks on the market, each carried out by real processes against honest ones on a local chain, and its balance."""
