"""TNG through its web API: `universe` reads, `source` requests, `downloads` keeps."""
