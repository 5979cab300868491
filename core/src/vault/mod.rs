//! The only room with keys: a secret goes in, comes out, is gone; a key never leaves.
