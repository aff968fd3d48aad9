"""What the chip obeys: instruction table, records, encoding, assembly, Program."""
