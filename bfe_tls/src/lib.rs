//! TLS rules and certificates of the BFE load balancer.
