"""Each kind of message, read from its part of the engine's protobuf. `rules.content` is the way in."""
