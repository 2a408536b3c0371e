"""Files as signals: one reader a format. They need the extra `app`."""
