"""How numbers behave: the fp32 contract, integers, conversions, functions, reductions and matrix products.

Every operation has one executable definition, used on numpy arrays by the reference evaluator and on scalars inside
compiled loops by the virtual machine.
"""
