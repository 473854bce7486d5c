//! Listeners, workers, the request pipeline and the monitor server of the BFE load balancer.

pub mod config;
