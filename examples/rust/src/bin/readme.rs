// The program of README.md, word for word (see build.rs). Started by examples/readme.sh.
include!(concat!(env!("OUT_DIR"), "/readme.rs"));
