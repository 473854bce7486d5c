//! The built-in modules of the BFE load balancer.
