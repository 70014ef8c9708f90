"""What users hand over: read as they mean it, or refused with what was expected, what came and what to do.

Arrays, settings, names among choices; how messages show what came. Nothing here knows a backend or a network.
"""
