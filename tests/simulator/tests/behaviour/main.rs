//! What the simulator promises, tried through its front doors.

mod client;
mod contract;
mod delta;
mod eml;
mod faults;
mod items;
mod sending;
mod signin;
mod teams;
