//! The BFE load balancer: flags, start-up, wiring.

fn main() {}
