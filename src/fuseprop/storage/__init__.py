"""Files: read with every fault as one error, and written whole or not at all.

`tensorfile` holds the bytes of a model file; what they mean is said in `fuseprop.model`.
"""
