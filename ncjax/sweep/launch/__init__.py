"""Running a sweep: the loop over its groups here or by Ray, bucket copies, progress, signals."""
