"""Who works on a bucket, and when: leases, live work, Redis runs. Applies nothing."""
