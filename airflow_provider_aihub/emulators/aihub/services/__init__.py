"""The services of AIHub, one module each: what they are asked, what they answer."""
