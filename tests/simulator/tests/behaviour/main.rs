//! What the simulator promises, tried through its public interfaces.

mod actions;
mod apps;
mod client;
mod consent;
mod contract;
mod delta;
mod device;
mod eml;
mod discovery;
mod faults;
mod items;
mod misplaced;
mod lacks;
mod places;
mod personal;
mod policy;
mod profile;
mod queries;
mod resources;
mod sending;
mod signin;
mod tamper;
mod teams;
mod tls;
mod uploads;
mod workflows;
