"""A made-up, labelled world: what people and machines do, attacks among it, and the truth about them.

Everything follows from the seed: the same settings give the same bytes in every process.
"""
