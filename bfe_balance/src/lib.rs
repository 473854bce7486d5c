//! Two-level balancing, backends and health checks of the BFE load balancer.
