//! Stores that earlier versions wrote, opened by this one. README.md beside this file tells what is in them and how they were made.

mod kept;
mod make;
mod opens;
mod world;
