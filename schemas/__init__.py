"""What a record, an annotation, a pair, a sample, a level scale, a manifest and a recipe ARE.

The structs in this package are the one truth. The JSON Schemas in `schemas/jsonschema` are generated from them
(`vqa2 schema --write`), committed, and held equal by a test: they are the published contract.
"""

SCHEMA_VERSION = "1.1.0"
