# Payloads: small programs that make state, are moved, and verify it
