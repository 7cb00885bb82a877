//! The store from outside: what its users rely on, in real files and with real processes.
#![cfg(test)]

mod support;

mod basics;
mod damage;
mod disk;
mod graphs;
mod kills;
mod travel;
mod versions;
