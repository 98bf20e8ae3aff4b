"""The hands on media: probing, decoding, cutting, checking."""
