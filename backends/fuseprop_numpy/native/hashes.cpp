// Of which sources this library was built; build.py defines both hashes.
#include "interface.hpp"

FUSEPROP_API const char* fuseprop_source_hash() { return FUSEPROP_SOURCE_HASH; }
FUSEPROP_API const char* fuseprop_interface_hash() { return FUSEPROP_INTERFACE_HASH; }
